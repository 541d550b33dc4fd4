/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Everything at once on one reader: four threads with control codes, one with the card in
 * its hand, two with trackers and one that cancels them. Each request ends once and with
 * a status that it may have; each answer belongs to its command.
 *
 * Runs SCARDFS_STRESS_SECONDS, 2 without.
 */
#include "fake_card.h"

#include <sched.h>
#include <stdlib.h>

#define WORKERS       4
#define TRACKERS      2
#define SECONDS       2
#define TICKS_PER_SEC 10000000 /* of 100 ns */

static struct fake_reader reader;
static KEVENT stop;

/* ---- faults: threads cannot assert ----------------------------------------------- */

static pthread_mutex_t fault_lock = PTHREAD_MUTEX_INITIALIZER;
static char fault[200];

static void report(int line, const char *what, NTSTATUS status)
{
    pthread_mutex_lock(&fault_lock);
    if (fault[0] == '\0')
        snprintf(fault, sizeof fault, "line %d: %s (%s)", line, what,
                 smc_status_name(status));
    pthread_mutex_unlock(&fault_lock);
    KeSetEvent(&stop, 0, FALSE);
}

#define require(condition, status)                                                       \
    do {                                                                                 \
        if (!(condition))                                                                \
            report(__LINE__, #condition, status);                                        \
    } while (0)

static bool stopped(void)
{
    return KeReadStateEvent(&stop) != 0;
}

/* ---- the reader and its card ----------------------------------------------------- */

/* Every reset gives the other card. */
static void in_callback(struct fake_reader *r)
{
    static bool t1;

    if (r->major != IOCTL_SMARTCARD_POWER || r->minor == SCARD_POWER_DOWN)
        return;
    t1 = !t1;
    fake_reader_set_atr(r, t1 ? ATR_T1 : ATR_T0);
    fake_card_reset(254);
}

static VOID cancel_of_the_driver(PDEVICE_OBJECT device, PIRP irp)
{
    (void)device;
    IoReleaseCancelSpinLock(irp->CancelIrql);
    SmartcardCompleteCardTracking(&reader.ext);
}

/* Every second tracker gets a cancel routine of the driver. */
static NTSTATUS tracking(PSMARTCARD_EXTENSION ext)
{
    static unsigned calls;
    KIRQL irql;

    if (__atomic_fetch_add(&calls, 1, __ATOMIC_RELAXED) % 2)
        return STATUS_PENDING;
    IoAcquireCancelSpinLock(&irql);
    IoSetCancelRoutine(ext->OsData->NotificationIrp, cancel_of_the_driver);
    IoReleaseCancelSpinLock(irql);
    return STATUS_PENDING;
}

static void *card_thread(void *argument)
{
    unsigned rounds = 0;

    (void)argument;
    while (!stopped()) {
        fake_reader_insert(&reader);
        /* Mostly long enough for a whole session, sometimes not at all. */
        for (unsigned i = 0; i < rounds % 64 && !stopped(); i++)
            sched_yield();
        fake_reader_remove(&reader);
        rounds++;
    }
    return NULL;
}

/* ---- requests -------------------------------------------------------------------- */

struct worker {
    pthread_t thread;
    UCHAR number;
    ULONG random;
    unsigned requests, answers;
    struct fake_request request;
};

static struct worker workers[WORKERS];

/* What a card that comes and goes can do to a request. */
static bool allowed(ULONG code, NTSTATUS status)
{
    switch (status) {
    case STATUS_SUCCESS:
    case STATUS_NO_MEDIA:
    case STATUS_INVALID_DEVICE_STATE:
    case STATUS_NOT_SUPPORTED:
        return true;
    case STATUS_UNRECOGNIZED_MEDIA: /* the ATR went with its card */
        return code == IOCTL_SMARTCARD_POWER;
    default:
        return false;
    }
}

static bool send(struct worker *w, ULONG code, const char *in_hex, ULONG out_len)
{
    NTSTATUS returned = fake_send(&reader, &w->request, code, in_hex, out_len);

    w->requests++;
    require(__atomic_load_n(&w->request.completions, __ATOMIC_SEQ_CST) == 1, returned);
    require(returned == w->request.status, returned);
    require(allowed(code, returned), returned);
    return returned == STATUS_SUCCESS;
}

static void send_command(struct worker *w)
{
    UCHAR selected = w->request.buffer[0]; /* the answer of SET_PROTOCOL */
    char command[64];

    snprintf(command, sizeof command, "%02X00000008000000 80E0%02X%02X", selected,
             w->number, w->requests & 0xff);
    if (!send(w, IOCTL_SMARTCARD_TRANSMIT, command, 10))
        return;
    w->answers++;
    require(w->request.information == 10, w->request.status);
    require(w->request.buffer[8] == w->number, w->request.status);
    require(w->request.buffer[9] == ((w->requests - 1) & 0xff), w->request.status);
}

static void read_something(struct worker *w)
{
    static const char *const tags[] = {"03030900", "00030900", "01020800", "03020800",
                                       "08020800", "09020800", "0C020800", "00010100"};

    if (send(w, IOCTL_SMARTCARD_GET_STATE, "", 4))
        require(w->request.buffer[0] <= SCARD_SPECIFIC, w->request.status);
    send(w, IOCTL_SMARTCARD_GET_ATTRIBUTE, tags[w->random % 8], 36);
    send(w, IOCTL_SMARTCARD_GET_LAST_ERROR, "", 4);
}

static void *work_thread(void *argument)
{
    struct worker *w = argument;

    while (!stopped()) {
        w->random = w->random * 1664525 + 1013904223;
        read_something(w);
        switch (w->random >> 28) {
        case 0:
            send(w, IOCTL_SMARTCARD_POWER, "00000000", 0);
            break;
        case 1:
            send(w, IOCTL_SMARTCARD_POWER, "01000000", 33);
            break;
        case 2:
            send(w, IOCTL_SMARTCARD_POWER, "02000000", 33);
            break;
        case 3:
            send(w, IOCTL_SMARTCARD_EJECT, "", 0);
            break;
        default:
            if (send(w, IOCTL_SMARTCARD_SET_PROTOCOL, "03000000", 4))
                send_command(w);
            else
                send(w, IOCTL_SMARTCARD_POWER, "01000000", 33);
        }
    }
    return NULL;
}

/* ---- trackers -------------------------------------------------------------------- */

static struct tracker {
    pthread_t thread;
    pthread_mutex_t lock;
    bool alive; /* may be cancelled */
    IRP irp;
    KEVENT ended;
    unsigned completions, issued, succeeded, cancelled, busy;
} trackers[TRACKERS];

static void count(unsigned *number)
{
    __atomic_add_fetch(number, 1, __ATOMIC_SEQ_CST);
}

/* Each has ended in both ways, however seldom its threads got a processor. */
static bool trackers_met_all(void)
{
    for (unsigned i = 0; i < TRACKERS; i++)
        if (__atomic_load_n(&trackers[i].succeeded, __ATOMIC_SEQ_CST) == 0 ||
            __atomic_load_n(&trackers[i].cancelled, __ATOMIC_SEQ_CST) == 0)
            return false;
    return true;
}

static VOID at_end(PIRP irp, PVOID context)
{
    struct tracker *t = context;
    NTSTATUS status = irp->IoStatus.Status;

    if (status == STATUS_SUCCESS)
        count(&t->succeeded);
    else if (status == STATUS_CANCELLED)
        count(&t->cancelled);
    else if (status == STATUS_DEVICE_BUSY)
        t->busy++;
    else
        report(__LINE__, "a tracker ends", status);
    require(__atomic_add_fetch(&t->completions, 1, __ATOMIC_SEQ_CST) == 1, status);
    KeSetEvent(&t->ended, 0, FALSE);
}

static void set_alive(struct tracker *t, bool alive)
{
    pthread_mutex_lock(&t->lock);
    t->alive = alive;
    pthread_mutex_unlock(&t->lock);
}

/* Ends: the card comes and goes, and trackers are cancelled, until after this thread. */
static void *track_thread(void *argument)
{
    struct tracker *t = argument;

    while (!stopped()) {
        ULONG code =
            t->issued % 2 ? IOCTL_SMARTCARD_IS_ABSENT : IOCTL_SMARTCARD_IS_PRESENT;

        t->completions = 0;
        smc_irp_init_ioctl(&t->irp, &reader.device, &reader.file, code, NULL, 0, 0,
                           at_end, t);
        set_alive(t, true);
        t->issued++;
        SmartcardDeviceControl(&reader.ext, &t->irp);
        KeWaitForSingleObject(&t->ended, Executive, KernelMode, FALSE, NULL);
        set_alive(t, false);
        if (t->irp.IoStatus.Status == STATUS_DEVICE_BUSY)
            sched_yield(); /* to the other one, whose turn it is to end */
    }
    return NULL;
}

static int trackers_done;

static void *cancel_thread(void *argument)
{
    unsigned round = 0;

    (void)argument;
    while (!__atomic_load_n(&trackers_done, __ATOMIC_SEQ_CST)) {
        struct tracker *t = &trackers[round++ % TRACKERS];

        pthread_mutex_lock(&t->lock);
        if (t->alive)
            IoCancelIrp(&t->irp);
        pthread_mutex_unlock(&t->lock);
        if (round % 8 == 0)
            SmcEndCardTracking(&reader.ext, STATUS_CANCELLED);
        if (!stopped())
            for (unsigned i = 0; i < round % 16; i++)
                sched_yield();
    }
    return NULL;
}

/* ---- the test -------------------------------------------------------------------- */

static LONGLONG seconds(void)
{
    const char *text = getenv("SCARDFS_STRESS_SECONDS");
    long wanted = text != NULL ? strtol(text, NULL, 10) : 0;

    return wanted > 0 && wanted <= 3600 ? wanted : SECONDS;
}

static void start(pthread_t *thread, void *(*routine)(void *), void *argument)
{
    assert_int_equal(pthread_create(thread, NULL, routine, argument), 0);
}

static void start_all(pthread_t *card, pthread_t *canceller)
{
    for (unsigned i = 0; i < WORKERS; i++) {
        workers[i].number = (UCHAR)(i + 1);
        workers[i].random = i;
        start(&workers[i].thread, work_thread, &workers[i]);
    }
    for (unsigned i = 0; i < TRACKERS; i++) {
        pthread_mutex_init(&trackers[i].lock, NULL);
        KeInitializeEvent(&trackers[i].ended, SynchronizationEvent, FALSE);
        start(&trackers[i].thread, track_thread, &trackers[i]);
    }
    start(card, card_thread, NULL);
    start(canceller, cancel_thread, NULL);
}

static void test_stress_of_all_requests_and_events_ends_each_request_once(void **state)
{
    LARGE_INTEGER duration = {.QuadPart = -seconds() * TICKS_PER_SEC};
    pthread_t card, canceller;
    unsigned requests = 0, answers = 0;

    (void)state;
    fake_reader_setup(&reader);
    reader.in_callback = in_callback;
    reader.ext.ReaderFunction[RDF_TRANSMIT] = fake_card_transmit;
    reader.ext.ReaderFunction[RDF_CARD_TRACKING] = tracking;
    KeInitializeEvent(&stop, NotificationEvent, FALSE);
    start_all(&card, &canceller);
    KeWaitForSingleObject(&stop, Executive, KernelMode, FALSE, &duration);
    while (!trackers_met_all() && !stopped()) /* a fault stops it */
        sched_yield();
    KeSetEvent(&stop, 0, FALSE);

    pthread_join(card, NULL);
    for (unsigned i = 0; i < TRACKERS; i++)
        pthread_join(trackers[i].thread, NULL);
    __atomic_store_n(&trackers_done, 1, __ATOMIC_SEQ_CST);
    pthread_join(canceller, NULL);
    for (unsigned i = 0; i < WORKERS; i++) {
        pthread_join(workers[i].thread, NULL);
        requests += workers[i].requests;
        answers += workers[i].answers;
    }

    assert_string_equal(fault, "");
    assert_null(reader.ext.OsData->NotificationIrp);
    assert_null(reader.ext.OsData->CurrentIrp);
    assert_true(answers > 0);
    print_message("%u requests, %u answers\n", requests, answers);
    for (unsigned i = 0; i < TRACKERS; i++) {
        const struct tracker *t = &trackers[i];

        print_message("%u trackers: %u true, %u cancelled, %u busy\n", t->issued,
                      t->succeeded, t->cancelled, t->busy);
        assert_int_equal(t->succeeded + t->cancelled + t->busy, t->issued);
        assert_true(t->succeeded > 0 && t->cancelled > 0);
    }
    fake_reader_teardown(&reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stress_of_all_requests_and_events_ends_each_request_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
