/* sim_switch(void **from, void *to): leave one stack and go on on another. System V: what the callee keeps is saved. */
	.text
	.globl sim_switch
	.type sim_switch, @function
sim_switch:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret
	.size sim_switch, .-sim_switch
	.section .note.GNU-stack,"",@progbits
