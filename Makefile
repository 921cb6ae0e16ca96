# ashlar: one Makefile for everything. New source files need no edit here: folders are searched.
#
#   make              libraries and programs, into $(B)/bin and $(B)/libexec/ashlar
#   make run          set up, build, and run real programs on a local rack, with a table of what it cost
#   make test         set up, build all variants, run every test
#   make vm           set up, build, and bring a rack of virtual machines up (build/bin/ashlar vm --help)
#   make run-vm       the same, run sort, python3 and sqlite3 on it, compare, and take it down
#   make test-vm      every test that needs virtual machines
#   make sim          seeds of the simulated rack: SEEDS=n of them, from SEED on; SEED alone: that one
#   make bench        measurements                    make soak       the tests again and again, SOAK seconds long
#   make fuzz         the fuzzers of the monitors, SECONDS long each, from a fresh seed
#   make asan         the monitors and tests by ASan and UBSan      make tsan   tests with threads by TSan
#   make clang        every object by clang as well
#   make format       rewrite to house style          make check-format, make lint
#   make install      into $(DESTDIR)$(PREFIX)        make clean
#
# V=1 shows commands, B=dir builds elsewhere, CC=gcc|clang chooses the compiler.

B       ?= build
PREFIX  ?= /usr/local
DESTDIR ?=
SOAK    ?= 600
SECONDS ?= 60
SEED    ?=
ifeq ($(origin CC),default)
CC      := gcc
endif
AR      := ar

# ---- flags ---------------------------------------------------------------------------------------------------------

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wvla \
	-Wswitch -Wundef -Wwrite-strings
OPT      ?= -O2 -g
CPPFLAGS += -Iinclude -I. -D_GNU_SOURCE
# Frame pointers: a backtrace out of a signal frame needs them. No _FORTIFY_SOURCE: its checks are calls that the
# objects of the trap path may not make.
BASE_CFLAGS := -std=gnu11 $(OPT) $(WARN) -fPIE -pthread -fno-omit-frame-pointer -U_FORTIFY_SOURCE
LDFLAGS  += -pie -pthread -Wl,--as-needed

# SANITIZE is set by the recipes of asan and tsan, together with a B of their own.
SANITIZE :=
ifneq ($(SANITIZE),)
SAN := -fsanitize=$(SANITIZE) -fno-sanitize-recover=all
endif

# What differs by folder. Trap code may use general registers only: it runs on top of the program's vector state.
# Objects under trap/ and fault/ are never instrumented.
flags_for = $(SAN)
flags_trap := -mgeneral-regs-only
flags_fault :=
flags_tests := $(SAN) -Wno-unused-parameter
flags_programs := -O1 -Wno-unused-parameter
# Built as anybody's program is: none of the flags above but warnings.
CFLAGS_abi := -std=gnu11 -O1 -g -Wall -Wextra -Werror -Wno-unused-parameter -I. -D_GNU_SOURCE -pthread

# ---- sources -------------------------------------------------------------------------------------------------------

comma := ,
find_c = $(sort $(shell find $(wildcard $(1)) -name '*.c' -o -name '*.S' 2>/dev/null))
# find without a folder would search everything
src = $(if $(wildcard $(1)),$(call find_c,$(1)))

DISPATCHER_DIRS := $(addprefix pcomponent/,load trap fault excache vm fs proc sys keep)

SRC_base       := $(call src,base)
SRC_proto      := $(call src,proto)
# ofi, verbs and the tables are no part of it: the dispatcher, which has no libraries, links it as well.
SRC_net        := $(filter-out net/ofi/% net/verbs/% net/sim/% net/table/%,$(call src,net))
SRC_fabrics    := $(call src,net/ofi)
SRC_verbs      := $(filter-out net/verbs/drivers/%,$(call src,net/verbs))
SRC_sim        := $(call src,net/sim)
SRC_component  := $(call src,component)
SRC_mcomponent := $(filter-out mcomponent/main.c,$(call src,mcomponent))
SRC_scomponent := $(filter-out scomponent/main.c,$(call src,scomponent))
SRC_gmm        := $(filter-out gmm/main.c,$(call src,gmm))
SRC_pcomponent := $(call src,pcomponent/daemon)
SRC_dispatcher := $(call src,$(DISPATCHER_DIRS))
SRC_cli        := $(filter-out cli/main.c,$(call src,cli))
SRC_vm         := $(call src,vm/host vm/switch)
SRC_guest      := $(filter-out vm/guest/agent.c,$(call src,vm/guest))

# From the top floor down: the order in which they are linked, so a call upwards does not link.
LIBS := vm cli dispatcher guest pcomponent gmm scomponent mcomponent component sim fabrics verbs net proto base
lib   = $(foreach l,$(1),$(B)/lib/lib$(l).a)

# What every program has that opens fabrics: the table of those it knows, and their drivers.
TABLE          := net/table/monitors.c net/verbs/drivers/dynamic.c
LDLIBS_fabrics := -lrdmacm -libverbs -lsodium
# The same for a program without shared libraries: the drivers that net/verbs/drivers/static.c names, and what they use.
TABLE_static   := net/table/dispatcher.c net/verbs/drivers/static.c
LDLIBS_static  := -l:librdmacm.a -l:librxe-rdmav34.a -l:libmlx5.a -l:libibverbs.a -l:libnl-route-3.a -l:libnl-3.a -l:libsodium.a

# Programs: main file, our libraries, foreign libraries.
MAIN_ashlar     := cli/main.c
USES_ashlar     := vm cli fabrics verbs net proto base
LDLIBS_ashlar   := -lconfuse -ljansson $(LDLIBS_fabrics)
MAIN_pcomponent := pcomponent/main.c
USES_pcomponent := pcomponent component fabrics verbs net proto base
LDLIBS_pcomponent := -ljansson $(LDLIBS_fabrics)
MAIN_mcomponent := mcomponent/main.c
USES_mcomponent := mcomponent component fabrics verbs net proto base
LDLIBS_mcomponent := -ljansson $(LDLIBS_fabrics)
MAIN_scomponent := scomponent/main.c
USES_scomponent := scomponent component fabrics verbs net proto base
LDLIBS_scomponent := -ljansson $(LDLIBS_fabrics)
MAIN_gmm        := gmm/main.c
USES_gmm        := gmm component fabrics verbs net proto base
LDLIBS_gmm      := -ljansson $(LDLIBS_fabrics)
PROGRAMS := ashlar pcomponent mcomponent scomponent gmm

BINS       := $(foreach p,$(PROGRAMS),$(if $(wildcard $(MAIN_$(p))),$(B)/bin/$(p)))
DISPATCHER := $(if $(wildcard pcomponent/dispatcher.c),$(B)/libexec/ashlar/dispatcher)
# What a virtual machine of a VM rack is made from, beside the programs.
VM_PARTS   := $(addprefix $(B)/libexec/ashlar/vm/,agent init image)
MANPAGES   := $(wildcard docs/man/*.1)

# Fuzzers, and what is no program of its own beside them.
FUZZ     := $(filter-out tests/fuzz/record.c,$(wildcard tests/fuzz/*.c))
# Each .c file of these folders is one test program.
UNIT     := $(wildcard tests/unit/*.c tests/proto/*.c tests/model/*.c) $(FUZZ)
# Those whose head says so run once more under TSan. None that has the simulated fabric: it switches stacks.
THREADED := $(shell grep -ls '^ \* also: tsan$$' $(UNIT))
BENCH    := $(wildcard tests/bench/*.c)
TPROGS   := $(wildcard tests/programs/*.c)
ABI      := $(wildcard tests/abi/*.c)
# These need an RDMA device: they are built here, and run where there is one. static.c is linked without libraries.
VERBS    := $(wildcard tests/verbs/*.c)
VERBS_STATIC := $(filter %/static.c,$(VERBS))
LDLIBS_test := -lcmocka -ljansson -lconfuse $(LDLIBS_fabrics)
# The simulated rack: one program, with several copies of the ExCache, each with static data of its own.
SIM        := $(wildcard tests/sim/*.c)
SIM_COPIES := c0 c1 c2
# -u: what is wrapped is there also for a test that asks nothing else of the simulator.
SIM_WRAP   := $(addprefix -Wl$(comma)--wrap=,clock_gettime nanosleep usleep sched_yield pthread_mutex_lock) \
	      -Wl,-u,sim_wrapped
SIM_CACHE  := $(filter-out %/uffd.c %/present.c,$(call src,pcomponent/excache))
SIM_LIBS   := pcomponent gmm scomponent mcomponent component sim net proto base
SIM_BIN    := $(if $(SIM),$(B)/tests/sim/sim)
test_bins = $(patsubst %.c,$(B)/%,$(1))

MAINS := $(wildcard $(foreach p,$(PROGRAMS),$(MAIN_$(p))) pcomponent/dispatcher.c vm/guest/agent.c) $(wildcard net/table/*.c net/verbs/drivers/*.c)
SRCS  := $(foreach l,$(LIBS),$(SRC_$(l))) $(MAINS)
obj    = $(patsubst %,$(B)/obj/%.o,$(basename $(1)))

# ---- targets -------------------------------------------------------------------------------------------------------

.DEFAULT_GOAL := all
.PHONY: all tests unit bench-programs objects sanitized threaded asan tsan clang run test test-vm vm run-vm bench soak fuzz sim install clean format \
	check-format lint print-cflags FORCE
.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:

Q    := $(if $(V),,@)
say   = $(if $(V),,@printf '  %-7s %s\n' '$(1)' '$(2)')
# Sub-makes use every core, unless the caller said -j.
jobs  = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))
sub   = $(MAKE) --no-print-directory $(jobs)

all: $(call lib,$(LIBS)) $(BINS) $(DISPATCHER) $(VM_PARTS)

tests: $(call test_bins,$(TPROGS) $(ABI) $(VERBS)) bench-programs
unit: $(call test_bins,$(UNIT)) $(SIM_BIN)
bench-programs: $(call test_bins,$(BENCH))
objects: $(call obj,$(SRCS) $(UNIT) $(BENCH) $(TPROGS) $(VERBS) $(SIM))

# Variants are less optimized: they are compiled by everyone who runs the tests, and the sanitizers cost more than that.
# The monitors sanitized, beside the normal dispatcher: it lives inside other programs and cannot carry a sanitizer.
asan: $(DISPATCHER)
	+$(Q)$(sub) B=$(B)/asan OPT='-O1 -g1' SANITIZE=address,undefined sanitized unit
	$(if $(DISPATCHER),$(Q)install -D $(DISPATCHER) $(B)/asan/libexec/ashlar/dispatcher)

tsan:
	+$(Q)$(sub) B=$(B)/tsan OPT='-O1 -g1' SANITIZE=thread threaded

sanitized: $(call lib,$(LIBS)) $(BINS)
threaded: $(call test_bins,$(THREADED))

clang:
	+$(Q)$(sub) B=$(B)/clang OPT=-O0 CC=clang objects

run:
	$(Q)scripts/setup.sh
	+$(Q)$(sub) all
	$(Q)B=$(B) scripts/run/main-job.sh

test:
	$(Q)scripts/setup.sh
	+$(Q)$(sub) all tests asan tsan clang
	$(Q)B=$(B) tests/run.sh

test-vm:
	$(Q)scripts/setup.sh
	+$(Q)$(sub) all tests
	$(Q)B=$(B) tests/run.sh 'vm/*'

vm:
	$(Q)scripts/setup.sh
	+$(Q)$(sub) all
	$(Q)$(B)/bin/ashlar vm up

run-vm:
	$(Q)scripts/setup.sh
	+$(Q)$(sub) all
	$(Q)B=$(B) scripts/run/vm-job.sh

bench:
	$(Q)scripts/setup.sh
	+$(Q)$(sub) all bench-programs
	$(Q)B=$(B) scripts/bench.sh

sim: $(SIM_BIN)
	$(Q)$(SIM_BIN) --first $(if $(SEED),$(SEED),1) --seeds $(if $(SEEDS),$(SEEDS),$(if $(SEED),1,1000))

soak:
	$(Q)scripts/setup.sh
	+$(Q)$(sub) all tests asan
	$(Q)B=$(B) ASHLAR_SOAK=1 tests/run.sh --for $(SOAK) 'proto/*' 'model/*' 'e2e/*' 'e2e-6.1/*' 'e2e-asan/*'

fuzz:
	+$(Q)$(sub) asan
	$(Q)tests/fuzz/run.sh $(B)/asan/tests/fuzz $(SECONDS) $(SEED)

install: all
	$(Q)for p in $(BINS); do install -D -m 755 "$$p" "$(DESTDIR)$(PREFIX)/bin/$${p##*/}"; done
	$(Q)for p in $(DISPATCHER); do install -D -m 755 "$$p" "$(DESTDIR)$(PREFIX)/libexec/ashlar/dispatcher"; done
	$(Q)for p in $(VM_PARTS); do install -D -m 755 "$$p" "$(DESTDIR)$(PREFIX)/libexec/ashlar/vm/$${p##*/}"; done
	$(Q)for m in $(MANPAGES); do install -D -m 644 "$$m" "$(DESTDIR)$(PREFIX)/share/man/man1/$${m##*/}"; done

# For checks that compile: the flags of objects that are not special
print-cflags:
	@echo $(BASE_CFLAGS) $(CPPFLAGS)

clean:
	$(Q)rm -rf $(B)

format:
	$(Q)scripts/files.sh c h | xargs -r clang-format -i
check-format:
	$(Q)tests/house/format.sh
lint:
	$(Q)tests/house/lint.sh

# ---- rules ---------------------------------------------------------------------------------------------------------

# A file that changes only when the text in it does: what depends on it is rebuilt when flags or lists change.
remember = @mkdir -p $(@D); printf '%s\n' '$(1)' | cmp -s - $@ || printf '%s\n' '$(1)' > $@

$(B)/flags: FORCE
	$(call remember,$(CC) $(BASE_CFLAGS) $(CPPFLAGS) $(SAN) $(CFLAGS) $(flags_trap) $(flags_fault) $(flags_tests) \
		$(flags_programs) $(CFLAGS_abi) $(LDFLAGS) $(DISPATCHER_LDFLAGS) $(LDLIBS_static) $(LDLIBS_test) \
		$(foreach p,$(PROGRAMS),$(LDLIBS_$(p))) $(SIM_WRAP))

$(B)/obj/pcomponent/trap/%.o:  private flags_for = $(flags_trap)
$(B)/obj/pcomponent/fault/%.o: private flags_for = $(flags_fault)
$(B)/obj/tests/%.o:            private flags_for = $(flags_tests)
$(B)/obj/tests/programs/%.o:   private flags_for = $(flags_programs)

# What a recipe makes has its name only when it is whole: a build that is killed leaves nothing that looks made.
done = && mv $@.new $@

# An object is as old as the moment its making began. A header that changes while the compiler runs (a merge, an editor) is
# newer then, and the object is made again; dated by its end it would be taken for new, and no later make would ever mend it.
compile = : >$@.begun && $(CC) $(BASE_CFLAGS) $(CPPFLAGS) $(flags_for) $(CFLAGS) -MMD -MP -MF $(basename $@).d -MT $@ \
	-c -o $@.new $< && touch -r $@.begun $@.new && rm $@.begun $(done)

$(B)/obj/%.o: %.c $(B)/flags
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(compile)

$(B)/obj/%.o: %.S $(B)/flags
	$(call say,AS,$@)
	@mkdir -p $(@D)
	$(Q)$(compile)

define library
$(B)/lib/lib$(1).list: FORCE
	$$(call remember,$(SRC_$(1)))
$(B)/lib/lib$(1).a: $(call obj,$(SRC_$(1))) $(B)/lib/lib$(1).list
	$$(call say,AR,$$@)
	$(Q)rm -f $$@.new; $(AR) rcsD $$@.new $$(filter %.o,$$^) $$(done)
endef
$(foreach l,$(LIBS),$(eval $(call library,$(l))))

link = $(CC) $(SAN) $(LDFLAGS) -o $@.new $(filter %.o,$^) $(filter %.a,$^)

define program
$(B)/bin/$(1): $(call obj,$(MAIN_$(1)) $(TABLE)) $(call lib,$(USES_$(1)))
	$$(call say,LD,$$@)
	@mkdir -p $$(@D)
	$(Q)$$(link) $(LDLIBS_$(1)) $$(done)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program,$(p))))

# The dispatcher shares an address space with the program: nothing of the host's libraries may come with it.
# The warnings of the linker are of functions that need libraries at run time, and that are not called: they are shown only
# when it fails (its own option that hides them hides undefined symbols as well).
$(B)/libexec/ashlar/dispatcher: $(call obj,pcomponent/dispatcher.c $(TABLE_static)) $(call lib,dispatcher verbs net proto base)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -static-pie -pthread $(DISPATCHER_LDFLAGS) -o $@.new $(filter %.o,$^) $(filter %.a,$^) $(LDLIBS_static) 2>$@.err || { cat $@.err >&2; exit 1; }
	$(Q)rm -f $@.err $(done)

# Alone in its machine but for the monitor: static, as it needs a few functions only.
$(B)/libexec/ashlar/vm/agent: $(call obj,vm/guest/agent.c) $(call lib,guest pcomponent)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -static-pie -o $@.new $(filter %.o,$^) $(filter %.a,$^) $(done)
$(B)/libexec/ashlar/vm/init: vm/guest/init
	$(Q)install -D $< $@
$(B)/libexec/ashlar/vm/image: scripts/vm_image.sh
	$(Q)install -D $< $@

# These run on the simulated fabric as well.
$(B)/tests/verbs/% $(B)/tests/unit/net_% $(B)/tests/unit/sim_% $(B)/tests/unit/hook_wrappers $(B)/tests/unit/relay $(B)/tests/unit/relay_%: private wrapped = $(SIM_WRAP)

$(call test_bins,$(UNIT) $(BENCH) $(filter-out $(VERBS_STATIC),$(VERBS))): $(B)/%: $(B)/obj/%.o $(call obj,$(TABLE)) $(call lib,$(LIBS))
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(link) $(wrapped) $(LDLIBS_test) -lm $(done)

$(call test_bins,$(VERBS_STATIC)): $(B)/%: $(B)/obj/%.o $(call obj,$(TABLE_static)) $(call lib,verbs net proto base)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -static-pie -pthread -Wl,--no-warnings -o $@.new $(filter %.o,$^) $(filter %.a,$^) $(LDLIBS_static) $(done)

# A copy of the ExCache: its objects as one, all that they define renamed.
$(B)/obj/sim/cache.list: FORCE
	$(call remember,$(SIM_CACHE))
$(SIM_COPIES:%=$(B)/obj/sim/%.o): $(B)/obj/sim/%.o: $(call obj,$(SIM_CACHE)) $(B)/obj/sim/cache.list
	$(call say,COPY,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -r -nostdlib -o $@.all $(filter %.o,$^)
	$(Q)nm --defined-only --extern-only --format=posix $@.all | awk '{ print $$1, "$*_" $$1 }' > $@.names
	$(Q)objcopy --redefine-syms=$@.names $@.all $@.new $(done)

$(SIM_BIN): $(call obj,$(SIM)) $(SIM_COPIES:%=$(B)/obj/sim/%.o) $(call obj,$(TABLE)) $(call lib,fabrics verbs $(SIM_LIBS))
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(link) $(SIM_WRAP) -ljansson $(LDLIBS_fabrics) -lm $(done)

$(call test_bins,$(TPROGS)): $(B)/%: $(B)/obj/%.o
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(link) -lm $(done)

$(call test_bins,$(ABI)): $(B)/%: %.c $(B)/flags
	$(call say,CC,$@)
	@mkdir -p $(@D) $(B)/obj/$(<D)
	$(Q): >$@.begun && $(CC) $(CFLAGS_abi) -MMD -MP -MF $(B)/obj/$*.d -MT $@ -o $@.new $< && touch -r $@.begun $@.new && \
		rm $@.begun $(done)

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
