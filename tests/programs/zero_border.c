#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
/* moved mapping ends where another begins: the table joins them, the host does not (pgoff) */
int main(int argc,char**argv){
  size_t P=4096;
  char*w=mmap(0,16<<20,3,MAP_PRIVATE|MAP_ANONYMOUS,-1,0); memset(w,1,16<<20); /* over any budget */
  char*area=mmap(0,400*P,3,MAP_PRIVATE|MAP_ANONYMOUS,-1,0);
  char*p=mmap(0,50*P,3,MAP_PRIVATE|MAP_ANONYMOUS,-1,0);
  munmap(area,200*P);
  char*q=mremap(p,50*P,100*P,MREMAP_MAYMOVE|MREMAP_FIXED,area+100*P); /* ends at area+200P */
  if(q==MAP_FAILED){perror("mremap");return 1;}
  for(size_t i=0;i<300;i++) q[i*P]=1;       /* sequential: zero fill of 16 and more pages crosses the border */
  puts("ok");return 0;}
