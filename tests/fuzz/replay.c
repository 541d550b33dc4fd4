/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replay.c - runs a fuzz target over files: its seeds and what has once made it fail.
 *
 *   fuzz-NAME FILE-OR-DIRECTORY...
 *
 * Runs every file of the directories, in the order of their names, and says how many.
 * Status 1 when there was none: then nothing has been tested.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

#define INPUT_MAX (1u << 20)

static unsigned inputs;

static void run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    static uint8_t buffer[INPUT_MAX];
    uint8_t *exact; /* of its own length, so that reading beyond it shows */
    size_t len;

    if (file == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(1);
    }
    len = fread(buffer, 1, sizeof buffer, file);
    fclose(file);
    exact = malloc(len > 0 ? len : 1);
    if (exact == NULL)
        exit(1);
    memcpy(exact, buffer, len);
    fprintf(stderr, "%s\n", path); /* before it runs: who reads this may see no more */
    LLVMFuzzerTestOneInput(exact, len);
    free(exact);
    inputs++;
}

static void run(const char *path)
{
    struct dirent **names;
    struct stat st;
    int count;

    if (stat(path, &st) != 0)
        return; /* nothing has failed so far */
    if (!S_ISDIR(st.st_mode)) {
        run_file(path);
        return;
    }
    count = scandir(path, &names, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char child[4096];

        snprintf(child, sizeof child, "%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.')
            run_file(child);
        free(names[i]);
    }
    if (count >= 0)
        free(names);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        run(argv[i]);
    printf("%u inputs\n", inputs);
    return inputs > 0 ? 0 : 1;
}
