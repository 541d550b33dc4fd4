/* SPDX-License-Identifier: BSD-2-Clause */
/* udev_monitor.c - the part of libudev that tells a program of hot-plug. */
#include "udev.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* The public prototypes are libudev.h's, which this module does not need to build. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#define QUEUE_MAX 1024 /* events that nobody has read yet */

struct udev;

struct udev_monitor {
    struct udev_monitor *next;
    int references, fd;
    bool receiving;
    unsigned filters;
    char filter[4][24]; /* devtype; "" any of usb, "none" another subsystem */
    struct udev_device *queue[QUEUE_MAX];
    unsigned head, tail;
};

static struct udev_monitor *monitors; /* under emu_lock */

static bool wants(const struct udev_monitor *m, bool interface)
{
    for (unsigned i = 0; i < m->filters; i++)
        if (!*m->filter[i] || !strcmp(m->filter[i], emu_devtype(interface)))
            return true;
    return m->filters == 0;
}

static void push(struct emu_device *device, bool interface, const char *action)
{
    for (struct udev_monitor *m = monitors; m; m = m->next) {
        if (!m->receiving || m->tail - m->head == QUEUE_MAX || !wants(m, interface))
            continue;
        if (eventfd_write(m->fd, 1) == 0)
            m->queue[m->tail++ % QUEUE_MAX] = emu_udev_device(device, interface, action);
    }
}

void emu_announce(struct emu_device *device, bool arrived)
{
    push(device, !arrived,
         arrived ? "add" : "remove"); /* interfaces come last, go first */
    push(device, arrived, arrived ? "add" : "remove");
}

EMU_EXPORT struct udev_monitor *udev_monitor_new_from_netlink(struct udev *udev,
                                                              const char *name)
{
    struct udev_monitor *m = emu_alloc(sizeof *m);

    (void)udev;
    (void)name;
    emu_start();
    m->references = 1;
    m->fd = eventfd(0, EFD_SEMAPHORE | EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_lock(&emu_lock);
    m->next = monitors;
    monitors = m;
    pthread_mutex_unlock(&emu_lock);
    return m;
}

EMU_EXPORT struct udev_monitor *udev_monitor_unref(struct udev_monitor *m)
{
    if (!m || --m->references > 0)
        return NULL;
    pthread_mutex_lock(&emu_lock);
    for (struct udev_monitor **p = &monitors; *p; p = &(*p)->next) {
        if (*p == m) {
            *p = m->next;
            break;
        }
    }
    pthread_mutex_unlock(&emu_lock);
    while (m->head != m->tail)
        udev_device_unref(m->queue[m->head++ % QUEUE_MAX]);
    close(m->fd);
    free(m);
    return NULL;
}

EMU_EXPORT int udev_monitor_filter_add_match_subsystem_devtype(struct udev_monitor *m,
                                                               const char *subsystem,
                                                               const char *devtype)
{
    const char *wanted = strcmp(subsystem, "usb") != 0 ? "none" : devtype ? devtype : "";

    if (m->filters == sizeof m->filter / sizeof *m->filter)
        return -ENOMEM;
    snprintf(m->filter[m->filters++], sizeof *m->filter, "%s", wanted);
    return 0;
}

EMU_EXPORT int udev_monitor_filter_update(struct udev_monitor *m)
{
    (void)m;
    return 0;
}

EMU_EXPORT int udev_monitor_set_receive_buffer_size(struct udev_monitor *m, int size)
{
    (void)m;
    (void)size;
    return 0;
}

EMU_EXPORT int udev_monitor_enable_receiving(struct udev_monitor *m)
{
    pthread_mutex_lock(&emu_lock);
    m->receiving = true;
    pthread_mutex_unlock(&emu_lock);
    return 0;
}

EMU_EXPORT int udev_monitor_get_fd(struct udev_monitor *m)
{
    return m->fd;
}

EMU_EXPORT struct udev_device *udev_monitor_receive_device(struct udev_monitor *m)
{
    struct udev_device *d = NULL;
    eventfd_t one;

    pthread_mutex_lock(&emu_lock);
    if (m->head != m->tail && eventfd_read(m->fd, &one) == 0)
        d = m->queue[m->head++ % QUEUE_MAX];
    pthread_mutex_unlock(&emu_lock);
    return d;
}
