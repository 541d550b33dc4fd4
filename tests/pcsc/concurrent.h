/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * concurrent.h - calls of several threads and processes, of which each case needs its own
 * order: what a case in concurrent*.c may use. A case that does not get on ends by the
 * program's alarm.
 */
#ifndef CONCURRENT_H
#define CONCURRENT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <winscard.h>

extern char reader[MAX_READERNAME]; /* the first one */

/* Ends the program unless it is so. */
void check(bool right, const char *what);
void need(LONG code, LONG wanted, const char *what);

SCARDCONTEXT new_context(void);
SCARDHANDLE new_card(SCARDCONTEXT context);
/* SELECT of the master file, of a T=1 card. */
LONG select_file(SCARDHANDLE card);
/* A file of the first reader's directory, its first line. */
void read_file(const char *file, char *line, size_t room);
/* For the file `virtual`: plug; or remove, insert, unplug the first reader. */
void plug_reader(void);
void ask_reader(const char *verb);
/* Files of this process that belong to the mount. */
unsigned files_of_mount(void);

/* Work of another thread. */
struct thread {
    void (*work)(struct thread *self);
    SCARDCONTEXT context;
    SCARDHANDLE card;
    LONG code;
    DWORD known, event; /* of SCardGetStatusChange */
    const char *name;
    pthread_t thread;
    atomic_int id;
    atomic_bool over;
};
void begin_thread(struct thread *thread);
/* Until it sleeps in poll(2). */
void wait_until_it_polls(const struct thread *thread);
void end_thread(struct thread *thread);
/* SCardGetStatusChange of name, without an end. */
void wait_for_change(struct thread *self);

/* What each case does; the number of a case that ran is printed. */
void run_changes(void);
void run_signals(void);
void run_transactions(void);
void run_forks(void);

#endif
