/*
 * Signals wake whoever waits by a pipe.
 */
#ifndef _GNU_SOURCE
#    define _GNU_SOURCE /* pipe2 */
#endif
#include "signals.h"

#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

static int signal_pipe[2] = {-1, -1};
static volatile sig_atomic_t stop_signal;     /* the last, or 0 */
static volatile sig_atomic_t seen;            /* a bit for each kind */
static volatile sig_atomic_t out_of_patience; /* with the reader */
static const int stop_signals[] = {SIGINT, SIGTERM, SIGHUP};

static const struct itimerval patience = {.it_interval.tv_usec = 500000, .it_value.tv_usec = 500000};

static void take_alarm(int number) {
    (void)number;
    out_of_patience = 1;
}

static void take_signal(int number) {
    int saved = errno;
    sig_atomic_t kind = 1 << number;
    if (number != SIGCHLD && (seen & kind) == 0) {
        seen |= kind;
        stop_signal = number;
        setitimer(ITIMER_REAL, &patience, NULL);
    } else if (number != SIGCHLD && out_of_patience) {
        signal(number, SIG_DFL);
        raise(number); /* is delivered when this handler returns */
    }
    if (write(signal_pipe[1], "", 1) < 0) {
        /* it is full: the loop will wake anyway */
    }
    errno = saved;
}

bool signals_catch(void) {
    if (pipe2(signal_pipe, O_CLOEXEC | O_NONBLOCK) < 0) {
        command_error("cannot make a pipe: %s", strerror(errno));
        return false;
    }
    struct sigaction action = {.sa_handler = take_signal};
    sigset_t all;
    sigemptyset(&action.sa_mask);
    sigemptyset(&all);
    for (size_t i = 0; i < sizeof stop_signals / sizeof stop_signals[0]; i++) {
        struct sigaction before;
        sigaddset(&all, stop_signals[i]);
        /* nohup means that it is to go on */
        if (stop_signals[i] != SIGHUP || sigaction(SIGHUP, NULL, &before) < 0 ||
            before.sa_handler != SIG_IGN) {
            sigaction(stop_signals[i], &action, NULL);
        }
    }
    action.sa_flags = SA_RESTART;
    sigaction(SIGCHLD, &action, NULL);
    action = (struct sigaction){.sa_handler = take_alarm};
    sigaction(SIGALRM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
#ifdef SIGXFSZ
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error of write() */
#endif
    sigprocmask(SIG_UNBLOCK, &all, NULL);
    return true;
}

int signals_came(void) {
    return stop_signal;
}

int signals_descriptor(void) {
    return signal_pipe[0];
}

void signals_clear(void) {
    char bytes[64];
    while (read(signal_pipe[0], bytes, sizeof bytes) > 0) {
    }
}

bool signals_impatient(void) {
    return out_of_patience;
}
