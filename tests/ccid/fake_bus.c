/* SPDX-License-Identifier: BSD-2-Clause */
/* fake_bus.c - see fake_bus.h. */
#include "fake_bus.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "refuse.h"

#define NODES        "/dev/bus/usb/"
#define THREADS_MAX  8
#define DESCRIPTOR   18
#define LIST_MEMBERS 2

const struct fake_device fake_reader = {
    .bus = 3,
    .address = 7,
    .ports = {1, 2},
    .port_count = 2,
    .vid = 0x1234,
    .pid = 0x5678,
    .class_code = LIBUSB_CLASS_SMART_CARD,
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct fake_device *device; /* the one whose node is opened */
    bool hotplug;
    libusb_hotplug_callback_fn callback;
    int contexts, handles, claims, callbacks, lists, configs;
    int node;    /* the other end of the last node; -1: none */
    int read_fd; /* atomic: the node that is read */
    struct fake_done done;
    struct {
        void *(*run)(void *);
        void *context;
    } threads[THREADS_MAX];
    unsigned thread_count;
    bool real_threads;
} bus = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void add(int *count, int n)
{
    pthread_mutex_lock(&bus.lock);
    *count += n;
    pthread_mutex_unlock(&bus.lock);
}

/* libusb's own types cannot be seen. */
static struct fake_device *to_fake(libusb_device *device)
{
    return (struct fake_device *)(void *)device;
}

static libusb_device *from_fake(struct fake_device *device)
{
    return (libusb_device *)(void *)device;
}

/* ---- the system -------------------------------------------------------------------- */

REFUSABLE(void *, calloc, NULL, (size_t n, size_t size), (n, size))
REFUSABLE(void *, malloc, NULL, (size_t size), (size))
REFUSABLE(int, epoll_create1, REFUSE_ERRNO, (int flags), (flags))
REFUSABLE(int, epoll_ctl, REFUSE_ERRNO,
          (int epoll, int operation, int fd, struct epoll_event *event),
          (epoll, operation, fd, event))
REFUSABLE(int, timerfd_create, REFUSE_ERRNO, (int clock, int flags), (clock, flags))
REFUSABLE(int, eventfd, REFUSE_ERRNO, (unsigned value, int flags), (value, flags))

int __wrap_open64(const char *path, int flags, ...);
int __real_open64(const char *path, int flags, ...);
ssize_t __wrap_read(int fd, void *bytes, size_t size);
ssize_t __real_read(int fd, void *bytes, size_t size);
/* What _FORTIFY_SOURCE makes of it. */
ssize_t __wrap___read_chk(int fd, void *bytes, size_t size, size_t room);

static int open_bytes(void)
{
    const struct fake_device *device = bus.device;
    const struct config *config = &device->config;
    const uint8_t descriptor[DESCRIPTOR] = {DESCRIPTOR,
                                            1,
                                            0,
                                            2,
                                            0,
                                            0,
                                            0,
                                            64,
                                            (uint8_t)device->vid,
                                            (uint8_t)(device->vid >> 8),
                                            (uint8_t)device->pid,
                                            (uint8_t)(device->pid >> 8),
                                            0,
                                            1,
                                            0,
                                            0,
                                            0,
                                            1};
    uint8_t bytes[DESCRIPTOR + sizeof(config->bytes)];
    size_t len = DESCRIPTOR + config->length;
    int fd = memfd_create("node", MFD_CLOEXEC);

    memcpy(bytes, descriptor, DESCRIPTOR);
    memcpy(bytes + DESCRIPTOR, config->bytes, config->length);
    if (device->node_len != 0)
        len = device->node_len;
    assert_int_equal(write(fd, bytes, len), len);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

/* A node to read, or one to work with: that is the end of a pipe, which never says
 * anything until the other is closed. */
int __wrap_open64(const char *path, int flags, ...)
{
    int ends[2];

    if (strncmp(path, NODES, sizeof(NODES) - 1) != 0)
        return __real_open64(path, flags, 0600);
    if (refuse_this((flags & O_ACCMODE) == O_RDWR ? "open" : "open to read")) {
        return REFUSE_ERRNO;
    }
    if ((flags & O_ACCMODE) == O_RDONLY) {
        ends[0] = open_bytes();
        __atomic_store_n(&bus.read_fd, ends[0], __ATOMIC_SEQ_CST);
        return ends[0];
    }
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    if (bus.node >= 0)
        close(bus.node);
    bus.node = ends[1];
    return ends[0];
}

ssize_t __wrap_read(int fd, void *bytes, size_t size)
{
    if (fd == __atomic_load_n(&bus.read_fd, __ATOMIC_SEQ_CST) && refuse_this("read")) {
        return REFUSE_ERRNO;
    }
    return __real_read(fd, bytes, size);
}

ssize_t __wrap___read_chk(int fd, void *bytes, size_t size, size_t room)
{
    assert_true(size <= room);
    return __wrap_read(fd, bytes, size);
}

/* ---- threads ----------------------------------------------------------------------- */

int __wrap_usb_thread_start(pthread_t *thread, void *(*run)(void *), void *context);
int __real_usb_thread_start(pthread_t *thread, void *(*run)(void *), void *context);

int __wrap_usb_thread_start(pthread_t *thread, void *(*run)(void *), void *context)
{
    bool real;

    if (refuse_this("usb_thread_start"))
        return EAGAIN;
    pthread_mutex_lock(&bus.lock);
    real = thread != NULL || bus.real_threads;
    if (!real) {
        bus.threads[bus.thread_count].run = run;
        bus.threads[bus.thread_count++].context = context;
        pthread_cond_broadcast(&bus.changed);
    }
    pthread_mutex_unlock(&bus.lock);
    return real ? __real_usb_thread_start(thread, run, context) : 0;
}

static bool run_one(bool wait)
{
    void *(*run)(void *) = NULL;
    void *context = NULL;

    pthread_mutex_lock(&bus.lock);
    while (wait && bus.thread_count == 0)
        pthread_cond_wait(&bus.changed, &bus.lock);
    if (bus.thread_count > 0) {
        run = bus.threads[0].run;
        context = bus.threads[0].context;
        memmove(&bus.threads[0], &bus.threads[1],
                --bus.thread_count * sizeof(bus.threads[0]));
    }
    pthread_mutex_unlock(&bus.lock);
    if (run != NULL)
        run(context);
    return run != NULL;
}

bool fake_bus_run(void)
{
    return run_one(false);
}

void fake_bus_wait_and_run(void)
{
    run_one(true);
}

void fake_bus_let_run(void)
{
    pthread_mutex_lock(&bus.lock);
    bus.real_threads = true;
    pthread_mutex_unlock(&bus.lock);
    while (run_one(false))
        ;
}

/* ---- libusb: contexts and hot-plug ------------------------------------------------- */

int __wrap_libusb_init(libusb_context **context);
void __wrap_libusb_exit(libusb_context *context);
int __wrap_libusb_has_capability(uint32_t capability);
int __wrap_libusb_hotplug_register_callback(libusb_context *context, int events,
                                            int flags, int vid, int pid, int class_code,
                                            libusb_hotplug_callback_fn callback,
                                            void *user,
                                            libusb_hotplug_callback_handle *handle);
void __wrap_libusb_hotplug_deregister_callback(libusb_context *context,
                                               libusb_hotplug_callback_handle handle);
ssize_t __wrap_libusb_get_device_list(libusb_context *context, libusb_device ***list);
void __wrap_libusb_free_device_list(libusb_device **list, int unref);
const struct libusb_pollfd **__wrap_libusb_get_pollfds(libusb_context *context);
void __wrap_libusb_free_pollfds(const struct libusb_pollfd **fds);
int __wrap_libusb_handle_events_timeout_completed(libusb_context *context,
                                                  struct timeval *wait, int *completed);

int __wrap_libusb_init(libusb_context **context)
{
    if (refuse_this("libusb_init"))
        return refuse_error();
    *context = (libusb_context *)(void *)&bus;
    add(&bus.contexts, 1);
    return 0;
}

void __wrap_libusb_exit(libusb_context *context)
{
    assert_ptr_equal(context, &bus);
    add(&bus.contexts, -1);
}

int __wrap_libusb_has_capability(uint32_t capability)
{
    assert_int_equal(capability, LIBUSB_CAP_HAS_HOTPLUG);
    return bus.hotplug;
}

int __wrap_libusb_hotplug_register_callback(libusb_context *context, int events,
                                            int flags, int vid, int pid, int class_code,
                                            libusb_hotplug_callback_fn callback,
                                            void *user,
                                            libusb_hotplug_callback_handle *handle)
{
    (void)context;
    (void)events;
    (void)flags;
    (void)vid;
    (void)pid;
    (void)class_code;
    (void)user;
    if (refuse_this("libusb_hotplug_register_callback"))
        return refuse_error();
    bus.callback = callback;
    *handle = 1;
    add(&bus.callbacks, 1);
    return LIBUSB_SUCCESS;
}

void __wrap_libusb_hotplug_deregister_callback(libusb_context *context,
                                               libusb_hotplug_callback_handle handle)
{
    (void)context;
    assert_int_equal(handle, 1);
    add(&bus.callbacks, -1);
}

ssize_t __wrap_libusb_get_device_list(libusb_context *context, libusb_device ***list)
{
    (void)context;
    if (refuse_this("libusb_get_device_list"))
        return refuse_error();
    *list = __real_calloc(LIST_MEMBERS, sizeof(**list));
    (*list)[0] = from_fake(bus.device);
    add(&bus.lists, 1);
    return bus.device != NULL;
}

void __wrap_libusb_free_device_list(libusb_device **list, int unref)
{
    assert_int_equal(unref, 1);
    add(&bus.lists, -1);
    free(list);
}

/* Two descriptors: the node, which is another's affair, and one that is in the set. */
const struct libusb_pollfd **__wrap_libusb_get_pollfds(libusb_context *context)
{
    struct {
        const struct libusb_pollfd *list[2];
        struct libusb_pollfd fd;
    } * fds;

    (void)context;
    if (refuse_this("libusb_get_pollfds"))
        return NULL;
    fds = __real_calloc(1, sizeof(*fds));
    fds->fd.fd = __real_eventfd(0, 0);
    fds->fd.events = 1; /* POLLIN */
    fds->list[0] = &fds->fd;
    return fds->list;
}

void __wrap_libusb_free_pollfds(const struct libusb_pollfd **fds)
{
    close(fds[0]->fd); /* leaves the epoll set by that */
    free(fds);
}

int __wrap_libusb_handle_events_timeout_completed(libusb_context *context,
                                                  struct timeval *wait, int *completed)
{
    (void)context;
    (void)wait;
    (void)completed;
    return 0;
}

/* ---- libusb: what a device says ---------------------------------------------------- */

int __wrap_libusb_get_active_config_descriptor(libusb_device *device,
                                               struct libusb_config_descriptor **config);
int __wrap_libusb_get_config_descriptor(libusb_device *device, uint8_t index,
                                        struct libusb_config_descriptor **config);
void __wrap_libusb_free_config_descriptor(struct libusb_config_descriptor *config);
int __wrap_libusb_get_device_descriptor(libusb_device *device,
                                        struct libusb_device_descriptor *out);
int __wrap_libusb_get_port_numbers(libusb_device *device, uint8_t *ports, int max);
uint8_t __wrap_libusb_get_bus_number(libusb_device *device);
uint8_t __wrap_libusb_get_device_address(libusb_device *device);

static void make_config(const struct fake_device *device,
                        struct libusb_config_descriptor **out)
{
    struct whole {
        struct libusb_config_descriptor config;
        struct libusb_interface interface;
        struct libusb_interface_descriptor setting;
        struct libusb_endpoint_descriptor endpoints[2];
    } *whole = __real_calloc(1, sizeof(*whole));

    whole->config.bConfigurationValue = 1;
    whole->config.bNumInterfaces = 1;
    whole->config.interface = &whole->interface;
    whole->interface.num_altsetting = 1;
    whole->interface.altsetting = &whole->setting;
    whole->setting.bInterfaceClass = device->class_code;
    whole->setting.extra_length = device->extra;
    whole->setting.bNumEndpoints = 2;
    whole->setting.endpoint = whole->endpoints;
    whole->endpoints[1].extra_length = device->endpoint_extra;
    *out = &whole->config;
    add(&bus.configs, 1);
}

int __wrap_libusb_get_active_config_descriptor(libusb_device *device,
                                               struct libusb_config_descriptor **config)
{
    if (refuse_this("libusb_get_active_config_descriptor"))
        return refuse_error();
    if (to_fake(device)->unconfigured)
        return LIBUSB_ERROR_NOT_FOUND;
    make_config(to_fake(device), config);
    return 0;
}

int __wrap_libusb_get_config_descriptor(libusb_device *device, uint8_t index,
                                        struct libusb_config_descriptor **config)
{
    assert_int_equal(index, 0);
    if (refuse_this("libusb_get_config_descriptor"))
        return refuse_error();
    make_config(to_fake(device), config);
    return 0;
}

void __wrap_libusb_free_config_descriptor(struct libusb_config_descriptor *config)
{
    add(&bus.configs, -1);
    free(config);
}

int __wrap_libusb_get_device_descriptor(libusb_device *device,
                                        struct libusb_device_descriptor *out)
{
    if (refuse_this("libusb_get_device_descriptor"))
        return refuse_error();
    memset(out, 0, sizeof(*out));
    out->idVendor = to_fake(device)->vid;
    out->idProduct = to_fake(device)->pid;
    return 0;
}

int __wrap_libusb_get_port_numbers(libusb_device *device, uint8_t *ports, int max)
{
    const struct fake_device *fake = to_fake(device);

    assert_true(fake->port_count <= max);
    if (fake->port_count > 0)
        memcpy(ports, fake->ports, (size_t)fake->port_count);
    return fake->port_count;
}

uint8_t __wrap_libusb_get_bus_number(libusb_device *device)
{
    return to_fake(device)->bus;
}

uint8_t __wrap_libusb_get_device_address(libusb_device *device)
{
    return to_fake(device)->address;
}

/* ---- libusb: an open device -------------------------------------------------------- */

int __wrap_libusb_wrap_sys_device(libusb_context *context, intptr_t fd,
                                  libusb_device_handle **handle);
void __wrap_libusb_close(libusb_device_handle *handle);
int __wrap_libusb_set_configuration(libusb_device_handle *handle, int value);
int __wrap_libusb_kernel_driver_active(libusb_device_handle *handle, int number);
int __wrap_libusb_detach_kernel_driver(libusb_device_handle *handle, int number);
int __wrap_libusb_attach_kernel_driver(libusb_device_handle *handle, int number);
int __wrap_libusb_claim_interface(libusb_device_handle *handle, int number);
int __wrap_libusb_release_interface(libusb_device_handle *handle, int number);
struct libusb_transfer *__wrap_libusb_alloc_transfer(int packets);
struct libusb_transfer *__real_libusb_alloc_transfer(int packets);
int __wrap_libusb_submit_transfer(struct libusb_transfer *transfer);
int __wrap_libusb_cancel_transfer(struct libusb_transfer *transfer);
void __wrap_libusb_interrupt_event_handler(libusb_context *context);

int __wrap_libusb_wrap_sys_device(libusb_context *context, intptr_t fd,
                                  libusb_device_handle **handle)
{
    (void)context;
    assert_true(fd >= 0);
    if (refuse_this("libusb_wrap_sys_device"))
        return refuse_error();
    *handle = (libusb_device_handle *)(void *)&bus;
    add(&bus.handles, 1);
    return 0;
}

void __wrap_libusb_close(libusb_device_handle *handle)
{
    (void)handle;
    add(&bus.handles, -1);
}

int __wrap_libusb_set_configuration(libusb_device_handle *handle, int value)
{
    (void)handle;
    if (refuse_this("libusb_set_configuration"))
        return refuse_error();
    bus.done.configuration = value;
    return 0;
}

int __wrap_libusb_kernel_driver_active(libusb_device_handle *handle, int number)
{
    (void)handle;
    (void)number;
    return bus.device->kernel_driver;
}

int __wrap_libusb_detach_kernel_driver(libusb_device_handle *handle, int number)
{
    (void)handle;
    (void)number;
    if (refuse_this("libusb_detach_kernel_driver"))
        return refuse_error();
    bus.done.detached = true;
    return 0;
}

int __wrap_libusb_attach_kernel_driver(libusb_device_handle *handle, int number)
{
    (void)handle;
    (void)number;
    bus.done.attached = true;
    return 0;
}

int __wrap_libusb_claim_interface(libusb_device_handle *handle, int number)
{
    (void)handle;
    (void)number;
    if (refuse_this("libusb_claim_interface"))
        return refuse_error();
    add(&bus.claims, 1);
    return 0;
}

int __wrap_libusb_release_interface(libusb_device_handle *handle, int number)
{
    (void)handle;
    (void)number;
    add(&bus.claims, -1);
    return 0;
}

struct libusb_transfer *__wrap_libusb_alloc_transfer(int packets)
{
    return refuse_this("libusb_alloc_transfer") ? NULL
                                                : __real_libusb_alloc_transfer(packets);
}

int __wrap_libusb_submit_transfer(struct libusb_transfer *transfer)
{
    (void)transfer;
    return LIBUSB_ERROR_PIPE;
}

int __wrap_libusb_cancel_transfer(struct libusb_transfer *transfer)
{
    (void)transfer;
    return LIBUSB_ERROR_NOT_FOUND;
}

void __wrap_libusb_interrupt_event_handler(libusb_context *context)
{
    (void)context; /* nobody waits in libusb */
}

/* ---- for the test ------------------------------------------------------------------ */

void fake_bus_begin(void)
{
    assert_int_equal(bus.thread_count, 0);
    refuse(NULL, 0, 0);
    bus.device = NULL;
    bus.hotplug = true;
    bus.node = -1;
    __atomic_store_n(&bus.read_fd, -1, __ATOMIC_SEQ_CST);
    bus.done = (struct fake_done){.configuration = -1};
    bus.real_threads = false;
}

void fake_bus_end(void)
{
    if (bus.node >= 0)
        close(bus.node);
    assert_int_equal(bus.contexts, 0);
    assert_int_equal(bus.handles, 0);
    assert_int_equal(bus.claims, 0);
    assert_int_equal(bus.callbacks, 0);
    assert_int_equal(bus.lists, 0);
    assert_int_equal(bus.configs, 0);
    assert_int_equal(bus.thread_count, 0);
}

void fake_bus_no_hotplug(struct fake_device *device)
{
    bus.hotplug = false;
    bus.device = device;
}

void fake_bus_plug(struct fake_device *device)
{
    bus.device = device;
    bus.callback(NULL, from_fake(device), LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED, NULL);
}

void fake_bus_unplug(struct fake_device *device)
{
    bus.callback(NULL, from_fake(device), LIBUSB_HOTPLUG_EVENT_DEVICE_LEFT, NULL);
}

void fake_bus_hang_up(void)
{
    close(bus.node);
    bus.node = -1;
}

struct fake_done fake_bus_done(void)
{
    return bus.done;
}
