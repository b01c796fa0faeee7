/* pintle-pause: holds a Pod's namespaces. No libc, one page. Whoever starts it ignores SIGCHLD, so
 * as process 1 of a shared PID namespace it leaves no zombies. */

void _start(void);

void _start(void)
{
    for (;;) {
#if defined(__x86_64__)
        long r;

        __asm__ volatile("syscall" : "=a"(r) : "a"(34L) : "rcx", "r11", "memory"); /* pause */
#elif defined(__aarch64__)
        register long x8 __asm__("x8") = 73; /* ppoll of nothing */
        register long x0 __asm__("x0") = 0;
        register long x1 __asm__("x1") = 0;
        register long x2 __asm__("x2") = 0;
        register long x3 __asm__("x3") = 0;

        __asm__ volatile("svc 0" : "+r"(x0) : "r"(x1), "r"(x2), "r"(x3), "r"(x8) : "memory");
#else
#    error "pause(2) on this machine?"
#endif
    }
}
