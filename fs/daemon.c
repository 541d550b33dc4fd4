/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * daemon.c - the life of the process.
 *
 * The main thread mounts and serves. A second one, the supervisor, starts the driver
 * while the mount already answers, reports that it is ready, waits for a signal, and ends
 * things in order: readers go (parked, queued and running requests: ENODEV; cards powered
 * down), then the loop is left and the mount given up. All other threads have the signals
 * blocked. A driver that never ends what runs is waited for in vain: after
 * options->stop_limit_ms the process ends without it.
 *
 * In the background, the first process waits for the report of its child, so that whoever
 * started it finds a live mount.
 */
#include "fs/confine.h"
#include "fs/driver.h"
#include "fs/handover.h"
#include "fs/mount.h"
#include "fs/notify.h"
#include "fs/power.h"
#include "fs/privileges.h"
#include "fs/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX      256 /* far above the readers that may be busy at once */
#define IDLE_THREADS_MAX 4   /* that stay when nobody asks */
#define NUDGE_MS         20

struct life {
    struct scfs fs;
    struct scfs_mount mount;
    struct smc_io_client client;
    int ready_pipe; /* to the first process; -1: none */
    bool driver_loaded;
    struct scfs_drivers drivers;   /* of -o driver= */
    struct scfs_logind *logind;    /* NULL: nobody tells of the machine's sleep */
    struct scfs_deadline patience; /* for the drivers, at the end */
    int status;                    /* of the process */
    pthread_t server, supervisor;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool loop_left;
    bool request_lost; /* atomic: libfuse had no memory for one */
};

/* ---- the I/O manager's client ---------------------------------------------------- */

static NTSTATUS arrived(void *context, PDEVICE_OBJECT device)
{
    return scfs_reader_arrived(context, device);
}

static void gone(void *context, PDEVICE_OBJECT device, int surprise)
{
    scfs_reader_gone(context, device, surprise != 0);
}

/* Who starts a daemon in the background sees why it did not start; once it has, its
 * stderr leads nowhere. */
static void log_line(void *context, PDEVICE_OBJECT device, NTSTATUS status,
                     const char *text)
{
    const struct scfs *fs = context;
    char clean[512];

    scfs_log_driver(context, device, status, text);
    if (device == NULL && !NT_SUCCESS(status) && !fs->options->foreground) {
        scfs_text_printable(clean, sizeof clean, (const uint8_t *)text,
                            strcspn(text, "\n"));
        scfs_complain("%s", clean);
    }
}

static void log_link(void *context, const char *name, int created)
{
    (void)context;
    if ((SmartcardGetDebugLevel() & DEBUG_DRIVER) != 0)
        scfs_log(LOG_DEBUG, "%s %s", created ? "new name" : "name gone:", name);
}

static void service(void *context, PDEVICE_OBJECT device, ULONG delay_ms)
{
    scfs_service_request(context, device, delay_ms);
}

static void trace(void *context, PDEVICE_OBJECT device,
                  const struct smc_trace_packet *packet)
{
    scfs_trace_packet(context, device, packet);
}

/* ---- start and stop -------------------------------------------------------------- */

static bool start_driver(struct life *life)
{
    const struct scfs_options *options = life->fs.options;
    const struct scfs_driver *driver = life->fs.driver;
    NTSTATUS status;

    if (options->debug)
        SmartcardSetDebugLevel(options->debug_level);
    life->client = (struct smc_io_client){.arrived = arrived,
                                          .gone = gone,
                                          .log = log_line,
                                          .context = &life->fs,
                                          .link = log_link,
                                          .service = service,
                                          .trace = trace};
    smc_io_register(&life->client);
    status = smc_io_load(&life->fs.driver_object, driver->entry);
    if (!NT_SUCCESS(status)) {
        scfs_complain("the driver cannot be loaded: %s", smc_status_name(status));
        return false;
    }
    life->driver_loaded = true;
    if (!scfs_drivers_load(&life->drivers))
        return false;

    if (options->shape_count > 0) {
        status = driver->virtual_start(&life->fs.driver_object);
        for (unsigned i = 0; i < options->shape_count && NT_SUCCESS(status); i++)
            status = driver->plug(options->shapes[i]);
        if (!NT_SUCCESS(status)) {
            scfs_complain("a virtual reader cannot be made: %s", smc_status_name(status));
            return false;
        }
    }
    status =
        driver->watch != NULL ? driver->watch(&life->fs.driver_object) : STATUS_SUCCESS;
    if (!NT_SUCCESS(status)) {
        if (options->shape_count == 0 && options->driver_count == 0) {
            scfs_complain("USB cannot be watched for readers");
            return false;
        }
        scfs_log(LOG_WARNING, "USB cannot be watched for readers");
    }
    return true;
}

static void stop_driver(struct life *life)
{
    struct scfs *fs = &life->fs;

    pthread_mutex_lock(&fs->lock);
    fs->stopping = true;
    pthread_mutex_unlock(&fs->lock);
    scfs_notifier_silence(fs);
    scfs_wait_wake(&fs->lock, &fs->waits, ENODEV);
    scfs_drivers_unload(&life->drivers);
    if (life->driver_loaded)
        smc_io_unload(&fs->driver_object); /* each reader goes */
    scfs_poll_wake(&fs->lock, &fs->pollers);
    smc_io_register(NULL);
    scfs_notifier_end(fs);
}

/* ---- ready ----------------------------------------------------------------------- */

static void report(struct life *life, int status)
{
    uint8_t byte = (uint8_t)status;
    int null;

    if (life->ready_pipe < 0)
        return;
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd <= 2 && null >= 0; fd++)
        dup2(null, fd);
    if (null > 2)
        close(null);
    while (write(life->ready_pipe, &byte, 1) < 0 && errno == EINTR)
        continue;
    close(life->ready_pipe);
    life->ready_pipe = -1;
}

/* In the child: true. In the first process: false, with the exit status. */
static bool go_to_background(struct life *life, int *status)
{
    int ends[2];
    uint8_t byte = 1;
    ssize_t got;
    pid_t child;

    fflush(NULL);
    if (pipe2(ends, O_CLOEXEC) != 0 || (child = fork()) < 0) {
        scfs_complain("cannot go to the background: %s", strerror(errno));
        *status = 1;
        return false;
    }
    if (child == 0) {
        close(ends[0]);
        life->ready_pipe = ends[1];
        setsid();
        if (chdir("/") != 0) /* only keeps some file system busy */
            scfs_log(LOG_WARNING, "chdir: %s", strerror(errno));
        return true;
    }
    close(ends[1]);
    do
        got = read(ends[0], &byte, 1);
    while (got < 0 && errno == EINTR);
    close(ends[0]);
    *status = got == 1 ? byte : 1;
    if (*status != 0 && life->fs.options->user != NULL) /* who cannot do so himself */
        scfs_mount_point_detach(life->mount.path);
    return false;
}

/* The driver's threads may still use anything: nothing is freed, nobody is waited for. */
static void lose_patience(struct scfs_deadline *deadline)
{
    struct life *life = CONTAINING_RECORD(deadline, struct life, patience);

    scfs_registry_name_leaving(&life->fs);
    scfs_log(LOG_ERR, "the end did not come within %u ms; not waiting any longer",
             life->fs.options->stop_limit_ms);
    scfs_mount_abandon(&life->mount);
    report(life, 1);
    _exit(1);
}

/* ---- threads --------------------------------------------------------------------- */

static void nothing(int signal_number)
{
    (void)signal_number;
}

static void termination_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
}

/* A supervisor may have started us through a shell: it hears who we are. */
static void tell_ready(bool passed)
{
    char message[64];

    if (passed)
        scfs_handover_taken();
    snprintf(message, sizeof message, "READY=1\nMAINPID=%ld", (long)getpid());
    scfs_notify(message);
}

static void *supervise(void *argument)
{
    struct life *life = argument;
    sigset_t set;
    int signal_number;
    bool serving = false;

    termination_signals(&set);
    if (start_driver(life)) {
        life->logind = scfs_logind_start(&life->fs);
        serving = scfs_confine_serve(life->fs.options);
    }
    if (serving) {
        report(life, 0);
        tell_ready(life->mount.passed);
        sigwait(&set, &signal_number);
        scfs_notify("STOPPING=1");
    } else {
        life->status = 1;
    }
    life->patience.expired = lose_patience;
    scfs_timer_arm(&life->fs.timer, &life->patience, life->fs.options->stop_limit_ms);
    scfs_logind_stop(life->logind);
    stop_driver(life);

    /* The loop sleeps on a semaphore and looks around only when a signal interrupts it;
     * one that comes before it sleeps does nothing, hence again and again. */
    fuse_session_exit(life->fs.session);
    pthread_mutex_lock(&life->lock);
    while (!life->loop_left) {
        struct timespec until;

        pthread_kill(life->server, SIGUSR1);
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += NUDGE_MS * 1000000L;
        if (until.tv_nsec >= 1000000000L) {
            until.tv_nsec -= 1000000000L;
            until.tv_sec++;
        }
        pthread_cond_timedwait(&life->changed, &life->lock, &until);
    }
    pthread_mutex_unlock(&life->lock);
    return NULL;
}

/* There may be many threads, and none goes deep. Sanitizers need more: 0 says so. */
static void limit_stacks(void)
{
    pthread_attr_t attributes;

    if (SCFS_STACK_SIZE == 0)
        return;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, SCFS_STACK_SIZE);
    pthread_setattr_default_np(&attributes);
    pthread_attr_destroy(&attributes);
}

/* libfuse answers what it has no memory for with ENOMEM, and nobody hears of it. If that
 * was the closing of a file, its transaction would never end: better no daemon than a
 * card that nobody can have. */
static void request_lost(void *context)
{
    struct life *life = context;

    if (__atomic_exchange_n(&life->request_lost, true, __ATOMIC_SEQ_CST))
        return;
    if (!life->fs.options->foreground) /* as in serve() */
        scfs_complain("no memory for a request");
    pthread_kill(life->supervisor, SIGTERM);
}

static void serve(struct life *life)
{
    struct fuse_loop_config *config = fuse_loop_cfg_create();

    scfs_log_libfuse(request_lost, life);
    if (config != NULL) {
        fuse_loop_cfg_set_max_threads(config, THREADS_MAX);
        fuse_loop_cfg_set_idle_threads(config, IDLE_THREADS_MAX);
    }
    if (config == NULL || fuse_session_loop_mt(life->fs.session, config) < 0) {
        scfs_log(LOG_ERR, "the mount cannot be served");
        if (!life->fs.options->foreground) /* and its log is not where it is looked for */
            scfs_complain("the mount cannot be served");
        life->status = 1;
    }
    if (config != NULL)
        fuse_loop_cfg_destroy(config);
    pthread_mutex_lock(&life->lock);
    life->loop_left = true;
    pthread_cond_broadcast(&life->changed);
    pthread_mutex_unlock(&life->lock);
}

static int live(struct life *life)
{
    struct sigaction nudge = {.sa_handler = nothing}; /* no SA_RESTART: it interrupts */
    sigset_t set;

    if (!scfs_mount_enter(&life->mount, &life->fs))
        return 1;
    scfs_privileges_no_dumps(); /* may have become somebody else */
    if (!scfs_confine_start(life->fs.options))
        return 1;
    termination_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    sigaction(SIGUSR1, &nudge, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL); /* whoever has started us had it blocked? */
    signal(SIGPIPE, SIG_IGN);
    life->server = pthread_self();
    limit_stacks();
    pthread_mutex_init(&life->lock, NULL);
    pthread_cond_init(&life->changed, NULL);
    if (scfs_timer_start(&life->fs.timer) != 0 ||
        pthread_create(&life->supervisor, NULL, supervise, life) != 0) {
        scfs_complain("cannot start a thread");
        scfs_timer_stop(&life->fs.timer);
        return 1;
    }
    serve(life);
    /* Unmounted from outside: the supervisor still waits for a signal. */
    pthread_kill(life->supervisor, SIGTERM);
    pthread_join(life->supervisor, NULL);
    scfs_timer_cancel(&life->fs.timer, &life->patience);
    scfs_timer_stop(&life->fs.timer);
    scfs_log_libfuse(NULL, NULL);
    return __atomic_load_n(&life->request_lost, __ATOMIC_SEQ_CST) ? 1 : life->status;
}

int scfs_run(const struct scfs_options *options, const struct scfs_driver *driver)
{
    struct life *life = calloc(1, sizeof *life);
    int status = 1;

    if (life == NULL) {
        scfs_complain("out of memory");
        return 1;
    }
    life->ready_pipe = -1;
    scfs_privileges_no_dumps();
    scfs_init(&life->fs, options, driver);
    scfs_log_open(options->foreground);
    life->fs.session = scfs_session_new(&life->fs, true);
    life->mount.lock = -1;
    if (life->fs.session == NULL)
        status = 2;
    else if (scfs_drivers_find(&life->drivers, options) &&
             scfs_mount_take(&life->mount, options) &&
             (options->foreground || go_to_background(life, &status)))
        status = live(life);
    if (!scfs_mount_leave(&life->mount, &life->fs))
        status = 1;
    scfs_end(&life->fs);
    report(life, status); /* a start that failed */
    free(life);
    return status;
}
