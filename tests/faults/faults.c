/* SPDX-License-Identifier: BSD-2-Clause */
/* faults.c - which call fails, and the calls that fail plainly; see faults.h. */
#include "faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <libusb.h>

struct faults_area *faults_area;
__thread bool faults_in_libusb_init __attribute__((tls_model("initial-exec")));

static struct {
    uintptr_t from, to, base;
} code[FAULTS_LIBUSB_INIT]; /* which is no module of its own */

/* ---- who calls ------------------------------------------------------------------- */

static int find_module(struct dl_phdr_info *info, size_t size, void *unused)
{
    static const char *const names[FAULTS_LIBUSB_INIT] = {
        [FAULTS_SMCLIB] = "/libsmclib.so",
        [FAULTS_LIBUSB] = "/libusb-1.0.so",
        [FAULTS_LIBFUSE] = "/libfuse3.so",
    };
    int module = FAULTS_DAEMON; /* the program comes first and has no name */

    (void)size, (void)unused;
    for (int i = FAULTS_DAEMON + 1; i < FAULTS_LIBUSB_INIT && info->dlpi_name[0]; i++)
        if (strstr(info->dlpi_name, names[i]))
            module = i;
    if (code[module].to != 0 || (module == FAULTS_DAEMON && info->dlpi_name[0]))
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];

        if (part->p_type != PT_LOAD || !(part->p_flags & PF_X))
            continue;
        code[module].base = info->dlpi_addr;
        code[module].from = info->dlpi_addr + part->p_vaddr;
        code[module].to = code[module].from + part->p_memsz;
    }
    return 0;
}

uint64_t faults_caller(const void *address)
{
    uintptr_t at = (uintptr_t)address;

    for (int i = 0; i < FAULTS_LIBUSB_INIT; i++) {
        uint64_t module = (uint64_t)i;

        if (at < code[i].from || at >= code[i].to)
            continue;
        if (i == FAULTS_LIBUSB && faults_in_libusb_init)
            module = FAULTS_LIBUSB_INIT;
        return module << 48 | (at - code[i].base);
    }
    return 0;
}

/* ---- which call ------------------------------------------------------------------ */

bool faults_due(enum faults_function function, const void *address)
{
    struct faults_area *area = faults_area;
    uint64_t caller = area ? faults_caller(address) : 0;
    unsigned n;

    if (caller == 0)
        return false;
    atomic_fetch_add(&area->calls[function], 1);
    if (atomic_load(&area->target) != (int)function)
        return false;
    n = atomic_fetch_add(&area->seen, 1) + 1;
    if (n != atomic_load(&area->nth) &&
        !(n > atomic_load(&area->nth) && atomic_load(&area->sticky)))
        return false;
    atomic_fetch_or(&area->fired_modules, 1u << (caller >> 48));
    atomic_store(&area->fired_caller, caller);
    atomic_fetch_add(&area->fired, 1);
    return true;
}

void faults_next(void **next, const char *name)
{
    if (__atomic_load_n(next, __ATOMIC_ACQUIRE))
        return;
    void *found = dlsym(RTLD_NEXT, name);

    if (!found)
        abort();
    __atomic_store_n(next, found, __ATOMIC_RELEASE);
}

__attribute__((constructor)) static void attach(void)
{
    const char *path = getenv("FAULTS_AREA");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *area;

    dl_iterate_phdr(find_module, NULL);
    if (fd < 0)
        return;
    area =
        mmap(NULL, sizeof(struct faults_area), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (area == MAP_FAILED)
        return;
    faults_area = area;
    unsetenv("FAULTS_AREA"); /* fusermount3 is not under test */
    atomic_store(&faults_area->attached, true);
}

/* ---- the calls ------------------------------------------------------------------- */

/* The names are given to the linker alone: the headers' declarations say other things. */
#define FAULT(name, type, fails, error, params, args)                                    \
    FAULTS_EXPORT type fault_##name params __asm__(#name);                               \
    type fault_##name params                                                             \
    {                                                                                    \
        static type(*next) params;                                                       \
                                                                                         \
        if (faults_due(FAULT_##name, __builtin_return_address(0))) {                     \
            if ((error) != 0)                                                            \
                errno = (error);                                                         \
            return fails;                                                                \
        }                                                                                \
        faults_next((void **)&next, #name);                                              \
        return next args;                                                                \
    }
#define SPECIAL(name)
#include "functions.h"
