/* SPDX-License-Identifier: BSD-2-Clause */
/* concurrent_forks.c - what a child has of the library's files, and what a program that
 * closes what it does not know. */
#include "concurrent.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOTIFICATION "\\\\?PnP?\\Notification"

/* Of a process whose one thread waits, and whose other has a card. */
static void run_child(void)
{
    SCARDCONTEXT context = new_context();
    SCARDHANDLE card = new_card(context);
    struct thread waiter = {
        .work = wait_for_change, .context = context, .name = NOTIFICATION};
    int status;

    begin_thread(&waiter);
    wait_until_it_polls(&waiter);
    check(files_of_mount() >= 3, "the library has files");
    if (fork() == 0) {
        check(files_of_mount() == 0, "the child has none of them");
        need(select_file(card), SCARD_E_INVALID_HANDLE, "nor the card");
        need(select_file(new_card(new_context())), SCARD_S_SUCCESS, "but one of its own");
        _exit(0);
    }
    check(wait(&status) > 0 && status == 0, "the child");
    need(select_file(card), SCARD_S_SUCCESS, "the card is the parent's as before");
    need(SCardCancel(context), SCARD_S_SUCCESS, "a cancel");
    end_thread(&waiter);
    need(waiter.code, SCARD_E_CANCELLED, "the wait was not disturbed");
    need(SCardReleaseContext(context), SCARD_S_SUCCESS, "the end of the context");
    check(files_of_mount() == 0, "and then no file is open");
    printf("a child has none of its parent's files\n");
}

/* Whose numbers are other files' then, which the library leaves alone. */
static void run_closed(void)
{
    SCARDCONTEXT context = new_context();
    int files[64];

    (void)new_card(context);
    closefrom(3);
    for (unsigned i = 0; i < sizeof files / sizeof files[0]; i++) {
        files[i] = open("/dev/null", O_RDONLY);
        check(files[i] >= 0, "/dev/null");
    }
    (void)SCardReleaseContext(context);
    for (unsigned i = 0; i < sizeof files / sizeof files[0]; i++)
        check(fcntl(files[i], F_GETFD) >= 0, "a file of the program is still open");
    printf("files of a program that closed the library's are left alone\n");
}

void run_forks(void)
{
    run_child();
    run_closed();
}
