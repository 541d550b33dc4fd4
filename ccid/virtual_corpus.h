/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * virtual_corpus.h - real readers whose shape a virtual one can take, by VID:PID. Their
 * descriptors are no part of the program: they are read at run time from a file
 * ccid-readers.jsonl, a JSON object a line with fields named as in CCID 1.1 table 5.1-1,
 * in the folder that SCARDFS_TEST_DATA names (../shared/data without it).
 */
#ifndef CCID_VIRTUAL_CORPUS_H
#define CCID_VIRTUAL_CORPUS_H

#include "ccid/virtual_shape.h"

#define CCID_VIRTUAL_LIST_MAX 256

/* A shape, and what its pointers point to. */
struct ccid_virtual_model {
    struct ccid_virtual_shape shape;
    char vendor[104], product[104], interface_name[104];
    uint32_t clocks_khz[CCID_VIRTUAL_LIST_MAX];
    uint32_t rates_bps[CCID_VIRTUAL_LIST_MAX];
};

/* Which reader. */
struct ccid_virtual_name {
    uint16_t vid, pid;
    int interface_number; /* -1: the first that there is */
};

/* Reads "076B:3031" or "08E6:34C0:1", in which the last number is bInterfaceNumber. */
bool ccid_virtual_name_parse(const char *text, struct ccid_virtual_name *name);

/*
 * Fills model from one line, if that is the reader. STATUS_SUCCESS;
 * STATUS_NO_SUCH_DEVICE: it is another; STATUS_INVALID_PARAMETER: not a line of that
 * file; STATUS_NOT_SUPPORTED: no virtual reader can be like that.
 */
NTSTATUS ccid_virtual_row_parse(const char *line, size_t len,
                                const struct ccid_virtual_name *name,
                                struct ccid_virtual_model *model);

/* The model of that name, to be freed with free(). STATUS_NOT_SUPPORTED, with a line in
 * the log, when there is no such row, or no file; STATUS_INSUFFICIENT_RESOURCES. */
NTSTATUS ccid_virtual_corpus_find(const char *text, struct ccid_virtual_model **out);

#endif
