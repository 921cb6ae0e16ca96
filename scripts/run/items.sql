-- A table in memory, an index over it, and queries by both. @ROWS@ and @QUERIES@ are filled in by main-job.sh.
pragma temp_store = memory;
create table item(id integer primary key, name text, class integer, weight integer);
with recursive n(i) as (select 1 union all select i + 1 from n where i < @ROWS@)
	insert into item select i, printf('item-%08d', (i * 48271) % 2147483647), i % 97, (i * 16807) % 10007 from n;
create index item_name on item(name);
select count(*), sum(weight), min(name), max(name) from item;
select class, count(*), avg(weight) from item group by class order by class;
with recursive n(i) as (select 1 union all select i + 1 from n where i < @QUERIES@)
	select count(*), sum(weight) from n
	join item on item.name = printf('item-%08d', (((i * 7919) % @ROWS@ + 1) * 48271) % 2147483647);
select id, name from item where name like 'item-000%' order by name limit 20;
update item set weight = weight + 1 where class = 13;
select sum(weight) from item;
