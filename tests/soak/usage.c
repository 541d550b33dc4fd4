/* SPDX-License-Identifier: BSD-2-Clause */
/* usage.c - see usage.h. */
#include "usage.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "daemon.h"

#define SAMPLES_MIN 8

void usage_begin(struct usage *u)
{
    *u = (struct usage){.every_s = 1};
    u->begun_ms = u->next_ms = now_ms();
}

bool usage_is_due(const struct usage *u)
{
    return u->every_s != 0 && now_ms() >= u->next_ms;
}

static void thin_out(struct usage *u)
{
    for (unsigned i = 0; i < USAGE_SAMPLES / 2; i++) {
        u->seconds[i] = u->seconds[2 * i];
        u->rss_kib[i] = u->rss_kib[2 * i];
        u->heap_kib[i] = u->heap_kib[2 * i];
    }
    u->samples = USAGE_SAMPLES / 2;
    u->every_s *= 2;
}

void usage_add(struct usage *u, double rss_kib, double heap_kib)
{
    const int64_t now = now_ms();

    if (u->samples == USAGE_SAMPLES)
        thin_out(u);
    u->seconds[u->samples] = (double)(now - u->begun_ms) / 1000;
    u->rss_kib[u->samples] = rss_kib;
    u->heap_kib[u->samples] = heap_kib;
    u->samples++;
    u->next_ms = now + (int64_t)u->every_s * 1000;
}

struct slope usage_slope(const struct usage *u, const double kib[USAGE_SAMPLES])
{
    const unsigned first = u->samples / 2, n = u->samples - first;
    struct slope slope = {.known = n >= SAMPLES_MIN};
    double mean_x = 0, mean_y = 0, xy = 0, xx = 0;

    if (!slope.known)
        return slope;
    for (unsigned i = first; i < u->samples; i++) {
        mean_x += u->seconds[i] / n;
        mean_y += kib[i] / n;
    }
    for (unsigned i = first; i < u->samples; i++) {
        const double x = u->seconds[i] - mean_x;

        xy += x * (kib[i] - mean_y);
        xx += x * x;
    }
    slope.window_s = u->seconds[u->samples - 1] - u->seconds[first];
    slope.per_hour = xy / xx * 3600;
    return slope;
}

double usage_rss_kib(pid_t pid)
{
    char path[64];
    long pages = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    file = fopen(path, "re");
    if (file == NULL || fscanf(file, "%*d %ld", &pages) != 1)
        pages = 0;
    if (file != NULL)
        fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1024;
}

static int entries(pid_t pid, const char *of)
{
    char path[64];
    int n = 0;
    DIR *dir;

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, of);
    dir = opendir(path);
    if (dir == NULL)
        return -1;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

struct held usage_held(pid_t pid, double heap_kib)
{
    return (struct held){.files = entries(pid, "fd"),
                         .threads = entries(pid, "task"),
                         .heap_kib = heap_kib};
}
