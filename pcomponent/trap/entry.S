/*
 * The doors between program and dispatcher. Contract of a door: entered by the host kernel as a signal handler on the
 * thread's trap stack (rdi signal, rsi siginfo, rdx ucontext, return address = restorer). It saves the FS base that is
 * in force (the program's, or ours when a user copy faulted: so nesting stays right), loads the dispatcher's, calls C
 * with rdi = frame, rsi = address of the saved FS base, puts that FS base back and returns through rt_sigreturn. What
 * rbx held is in the frame: from here to the return it is the frame's address.
 * %gs:0.. is struct thread (sys/thread.h). GS is the dispatcher's, but wrgsbase and a load of the selector need no system
 * call: the door finds thread block and FS base by way of the stack, in a sealed page, and puts GS right where it is not.
 */
#define TRAP_AREA_BYTES 262144	/* sys/thread.h */
#define TRAP_MAGIC 0x50415254

	.text

	.macro DOOR name, func
	.globl \name
	.type \name, @function
\name:
	rdfsbase %rax
	push %rax
	mov %rsp, %rcx
	and $-TRAP_AREA_BYTES, %rcx
	cmpq $TRAP_MAGIC, 16(%rcx)
	jne entry_lost
	mov (%rcx), %r8
	rdgsbase %r9
	cmp %r8, %r9
	je 1f
	wrgsbase %r8
1:	mov 8(%rcx), %rcx
	wrfsbase %rcx
	lea -8(%rdx), %rdi
	mov %rdi, %rbx
	mov %rsp, %rsi
	push $2			/* the program may have set direction and alignment check */
	popf
	call \func
	jmp entry_leave_start
	.size \name, . - \name
	.endm

	DOOR entry_sigsys, trap_sigsys
	DOOR entry_fault, trap_fault
	DOOR entry_signal, trap_signal

/* A door was entered on a stack that is no trap stack: nothing can be trusted to go on with. */
	.type entry_lost, @function
entry_lost:
	mov $1, %eax
	mov $2, %edi
	lea entry_lost_words(%rip), %rsi
	mov $(entry_lost_end - entry_lost_words), %edx
	syscall
	mov $231, %eax		/* exit_group */
	mov $125, %edi
	syscall
	ud2
	.size entry_lost, . - entry_lost
entry_lost_words:
	.ascii "ashlar: a thread of the dispatcher met a fault outside of the program: a wild store, or a bug\n"
entry_lost_end:

/* Signals that wait are for the frame to take on, if it is the program's; then ask again, as another may have come. */
	.type entry_look, @function
entry_look:
	mov %rbx, %rdi
	mov %rsp, %rsi
	call trap_pending
	test %al, %al
	jz entry_leave
	/* falls into entry_leave_start */
	.size entry_look, . - entry_look

/*
 * The way out of a door. Between its start and its last instruction a signal that was sent finds the frame by rbx and the
 * question whether one waits already asked, so it goes into that frame itself (trap/sent.c).
 */
	.globl entry_leave_start, entry_leave_insn
	.type entry_leave_start, @function
entry_leave_start:
	cmpq $0, %gs:16
	jne entry_look
entry_leave:
	mov (%rsp), %rax	/* stays there for whom a signal brings here */
	wrfsbase %rax
	add $8, %rsp
	ret			/* to entry_restorer, which the kernel has put there */
	.size entry_leave_start, . - entry_leave_start
	.globl entry_restorer
	.type entry_restorer, @function
	nop			/* unwinders look one byte before a return address */
entry_restorer:
	mov $15, %eax		/* rt_sigreturn */
entry_leave_insn:
	syscall
	.size entry_restorer, . - entry_restorer

/* trap_resume(frame, fs): leave for the program. The frame need not lie on a stack. */
	.globl trap_resume, entry_resume_start, entry_resume_insn
	.type trap_resume, @function
1:	mov %rbx, %rdi
	mov %rsp, %rsi
	call trap_pending
	jmp entry_resume_start
trap_resume:
	mov %rdi, %rbx
	mov %rsi, %rbp
	push %rsi
entry_resume_start:
	cmpq $0, %gs:16
	jne 1b
	wrfsbase %rbp
	lea 8(%rbx), %rsp
	mov $15, %eax
entry_resume_insn:
	syscall
	ud2
	.size trap_resume, . - trap_resume

/*
 * User copies. A fault between _start and _end that cannot be resolved continues at entry_copy_fault: -EFAULT.
 */
	.globl entry_copy_start, entry_copy_end, entry_copy_fault
	.globl entry_copy, entry_load32, entry_store32, entry_cas32, entry_touch
entry_copy_start:
	.type entry_copy, @function
entry_copy:			/* (dst, src, n) */
	mov %rdx, %rcx
	rep movsb
	xor %eax, %eax
	ret
	.type entry_load32, @function
entry_load32:			/* (local *, user) */
	mov (%rsi), %eax
	mov %eax, (%rdi)
	xor %eax, %eax
	ret
	.type entry_store32, @function
entry_store32:			/* (user, value) */
	mov %esi, (%rdi)
	xor %eax, %eax
	ret
	.type entry_cas32, @function
entry_cas32:			/* (user, local *expected, value): 0 or 1, and what was there to *expected */
	mov (%rsi), %eax
	lock cmpxchgl %edx, (%rdi)
	mov %eax, (%rsi)
	setne %al
	movzbl %al, %eax
	ret
	.type entry_touch, @function
entry_touch:			/* (user): write without changing */
	lock orb $0, (%rdi)
	xor %eax, %eax
	ret
entry_copy_end:
entry_copy_fault:
	mov $-14, %eax
	ret

/*
 * entry_stub(a0..a5, nr): a host call that program signals may interrupt. They are unblocked before it is entered. The
 * signal door notes the signal, blocks all others, and moves an ip in [start, insn] to abort: the call was then not made
 * (or the host kernel wants it repeated), and -SYS_RESTART is returned.
 */
	.globl entry_stub, entry_stub_start, entry_stub_insn, entry_stub_end, entry_stub_abort
	.type entry_stub, @function
entry_stub:
	mov 8(%rsp), %rax
	mov %rcx, %r10
entry_stub_start:
	cmpq $0, %gs:16
	jne entry_stub_abort
entry_stub_insn:
	syscall
entry_stub_end:
	ret
entry_stub_abort:
	mov $-512, %rax
	ret
	.size entry_stub, . - entry_stub

	.section .note.GNU-stack, "", @progbits
