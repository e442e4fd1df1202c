/*
 * Counts instructions exactly, without hardware counters: the processor's trap flag raises SIGTRAP after each one, in
 * shared libraries and in machine code made at run time as well. One costs some microseconds, so a burst is plenty.
 */
#include "twin.h"

#include <signal.h>
#include <stddef.h>

static volatile uint64_t steps;

static void on_step(int signal)
{
	(void)signal;
	steps++;
}

int step_install(void)
{
	struct sigaction action = { .sa_handler = on_step, .sa_flags = SA_RESTART };

	return sigaction(SIGTRAP, &action, NULL);
}

/* The red zone below the stack pointer may be in use, so it is stepped over. */
void step_begin(void)
{
	steps = 0;
	__asm__ volatile("leaq -128(%%rsp), %%rsp\n\tpushfq\n\torq $0x100, (%%rsp)\n\tpopfq\n\tleaq 128(%%rsp), %%rsp"
	                 ::: "memory", "cc");
}

uint64_t step_end(void)
{
	__asm__ volatile("leaq -128(%%rsp), %%rsp\n\tpushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq\n\tleaq 128(%%rsp), %%rsp"
	                 ::: "memory", "cc");
	return steps;
}
