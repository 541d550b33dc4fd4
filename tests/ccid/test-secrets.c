/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-secrets.c - what is secret in a command or in its answer is nowhere in the
 * process's memory once the call has ended: not in the driver, not in the virtual reader,
 * not on the stack below them. At once, before anything else can overwrite it, and on
 * every level.
 *
 * Its last block at T=1 a device has to keep until the next command comes, since it may
 * be asked for again; an answer that was lost on its way, until the card has no power any
 * more. There one looks after that.
 *
 * The driver runs in a process of its own, which gets the secret through a pipe; this one
 * looks through it.
 */
#include "ccid/vendor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "memory.h"
#include "virtual_bench.h"

#define ATR_T1     "3B 80 81 01"
#define ATR_T1_CRC "3B 91 11 81 71 FE 45 01 00 1A"

/* FEATURE_VERIFY_PIN_DIRECT: four to eight digits in ASCII. */
static const uint8_t verify_pin[] = {0x1E, 0x00, 0x82, 0x00, 0x00, 0x08, 0x04, 0x02,
                                     0x00, 0x09, 0x04, 0x00, 0x00, 0x00, 0x00, 0x05,
                                     0x00, 0x00, 0x00, 0x00, 0x20, 0x00, 0x80, 0x00};

static const struct device {
    const char *name;
    const char *shape; /* NULL: the built-in one */
    enum ccid_level level;
    enum ccid_transport transport;
    const char *atr;
} devices[] = {
    {"extended APDUs", NULL, CCID_LEVEL_EXTENDED_APDU, CCID_TRANSPORT_BULK, NULL},
    {"short APDUs", "pinpad", CCID_LEVEL_SHORT_APDU, CCID_TRANSPORT_BULK, NULL},
    {"TPDU, T=0", "tpdu", CCID_LEVEL_TPDU, CCID_TRANSPORT_BULK, NULL},
    {"TPDU, T=1", "tpdu-t1", CCID_LEVEL_TPDU, CCID_TRANSPORT_BULK, NULL},
    {"TPDU, T=1, CRC", "tpdu-t1", CCID_LEVEL_TPDU, CCID_TRANSPORT_BULK, ATR_T1_CRC},
    {"character, T=0", "tpdu", CCID_LEVEL_CHARACTER, CCID_TRANSPORT_BULK, NULL},
    {"character, T=1", "tpdu-t1", CCID_LEVEL_CHARACTER, CCID_TRANSPORT_BULK, NULL},
    {"ICCD A", NULL, CCID_LEVEL_CHARACTER, CCID_TRANSPORT_ICCD_A, NULL},
    {"ICCD B", NULL, CCID_LEVEL_SHORT_APDU, CCID_TRANSPORT_ICCD_B, NULL},
};

#define DEVICES (sizeof devices / sizeof devices[0])

static const struct way {
    const char *name;
    bool pad;
    uint8_t header[4];
    uint16_t fill; /* before the secret */
} ways[] = {
    {"VERIFY", false, {0x00, 0x20, 0x00, 0x80}, 0},
    {"an echo", false, {0x80, 0xE0, 0x00, 0x00}, 0},
    {"a long echo", false, {0x80, 0xE0, 0x00, 0x00}, 240},
    {"a PIN pad", true, {0}, 0},
};

#define WAYS     (sizeof ways / sizeof ways[0])
#define DATA_MAX 255
#define REPLY    sizeof(SCARD_IO_REQUEST)

static struct virtual_bench v;
/* What the caller has: the call's buffer, and what the user types. */
static uint8_t buffer[REPLY + 5 + DATA_MAX + 2];
static char keys[SECRET_LEN + 1];

static void begin(const struct device *device)
{
    struct ccid_virtual_shape shape = *ccid_virtual_shape(device->shape);

    shape.level = device->level;
    if (device->transport != CCID_TRANSPORT_BULK) {
        const bool a = device->transport == CCID_TRANSPORT_ICCD_A;

        shape.transport = device->transport;
        shape.interrupt = !a;
        shape.interface_protocol = a ? 1 : 2;
        shape.voltage_support = 1;
        shape.protocols = a ? 1 : 2;
        shape.features = 0x0840;
        shape.max_message_length = 261;
    } else if (device->level != CCID_LEVEL_CHARACTER) {
        shape.pin_support = 3;
    }
    if (device->level == CCID_LEVEL_SHORT_APDU &&
        device->transport == CCID_TRANSPORT_BULK)
        shape.max_message_length = 271;
    virtual_bench_begin_shape(&v, &shape, device->atr);
    v.bench.protocol = device->transport == CCID_TRANSPORT_ICCD_A ? SCARD_PROTOCOL_T0
                                                                  : SCARD_PROTOCOL_T1;
    assert_int_equal(virtual_bench_connect(&v), STATUS_SUCCESS);
    /* T=1 has agreed on its sizes: a fault hits the command. */
    assert_int_equal(bench_transmit(&v.bench, "80 E6 00 00"), STATUS_SUCCESS);
}

static bool possible(const struct device *device, const struct way *way)
{
    return !way->pad || (device->level != CCID_LEVEL_CHARACTER &&
                         device->transport == CCID_TRANSPORT_BULK);
}

/* How long a device may keep it. */
enum until { UNTIL_ENDED, UNTIL_NEXT, UNTIL_OFF };

/* ---- the process with the secret ---------------------------------------------------
 */

static void must(bool truth)
{
    if (!truth)
        _exit(1);
}

static NTSTATUS call(const struct way *way, int from)
{
    const SCARD_IO_REQUEST header = {v.bench.protocol, sizeof header};
    uint8_t *apdu = buffer + REPLY;
    ULONG got, length;
    NTSTATUS status;

    if (way->pad) {
        must(read(from, keys, SECRET_LEN) == SECRET_LEN);
        must(ccid_virtual_reader_type(v.reader, 0, keys) == 0);
        memcpy(buffer, verify_pin, sizeof verify_pin);
        return smc_irp_ioctl(v.bench.slots[0], NULL, SCFS_IOCTL_CCID_VERIFY_PIN_DIRECT,
                             buffer, sizeof verify_pin, 2, &got);
    }
    memcpy(buffer, &header, sizeof header);
    memcpy(apdu, way->header, sizeof way->header);
    apdu[4] = (uint8_t)(way->fill + SECRET_LEN);
    memset(apdu + 5, 'f', way->fill);
    must(read(from, apdu + 5 + way->fill, SECRET_LEN) == SECRET_LEN);
    length = (ULONG)(REPLY + 5 + apdu[4]);
    if (v.bench.protocol == SCARD_PROTOCOL_T1 && way->header[1] == 0xE0)
        buffer[length++] = 0; /* Le */
    status = smc_irp_ioctl(v.bench.slots[0], NULL, IOCTL_SMARTCARD_TRANSMIT, buffer,
                           length, sizeof buffer, &got);
    if (status == STATUS_SUCCESS && v.bench.protocol == SCARD_PROTOCOL_T0 &&
        way->header[1] ==
            0xE0) { /* 61xx: the card keeps its answer until it is fetched */
        must(apdu[0] == 0x61);
        memcpy(apdu, (const uint8_t[]){0x00, 0xC0, 0x00, 0x00, apdu[1]}, 5);
        status = smc_irp_ioctl(v.bench.slots[0], NULL, IOCTL_SMARTCARD_TRANSMIT, buffer,
                               REPLY + 5, sizeof buffer, &got);
    }
    return status;
}

/* A harmless command. */
static void next_command(void)
{
    static const uint8_t is_verified[] = {0x80, 0xE6, 0x00, 0x00};
    const SCARD_IO_REQUEST header = {v.bench.protocol, sizeof header};
    ULONG got;

    memcpy(buffer, &header, sizeof header);
    memcpy(buffer + REPLY, is_verified, sizeof is_verified);
    must(smc_irp_ioctl(v.bench.slots[0], NULL, IOCTL_SMARTCARD_TRANSMIT, buffer,
                       REPLY + sizeof is_verified, sizeof buffer,
                       &got) == STATUS_SUCCESS);
}

/* The fault may hit the first of them. */
static void power_down(void)
{
    NTSTATUS status = STATUS_PENDING;
    ULONG got;

    for (int i = 0; i < 2 && status != STATUS_SUCCESS; i++) {
        memcpy(buffer, &(const ULONG){SCARD_POWER_DOWN}, sizeof(ULONG));
        status = smc_irp_ioctl(v.bench.slots[0], NULL, IOCTL_SMARTCARD_POWER, buffer,
                               sizeof(ULONG), 0, &got);
    }
    must(status == STATUS_SUCCESS);
}

/* Says so once the call has ended, and once the caller's copies are gone, too. */
_Noreturn static void with_secret(const struct way *way, enum until until, int from,
                                  int to)
{
    const char ended = call(way, from) == STATUS_SUCCESS ? 's' : 'f';
    char go;

    must(write(to, &ended, 1) == 1);
    must(read(from, &go, 1) == 1);
    if (until == UNTIL_NEXT)
        next_command();
    else if (until == UNTIL_OFF)
        power_down();
    explicit_bzero(buffer, sizeof buffer);
    explicit_bzero(keys, sizeof keys);
    must(write(to, &ended, 1) == 1);
    must(read(from, &go, 1) == 1);
    _exit(0);
}

/* ---- the one that looks --------------------------------------------------------------
 */

static unsigned left; /* how many places had one */

static unsigned look(const struct secrets *pin, pid_t pid, const char *what)
{
    struct found found = {0};

    assert_true(secrets_look_in_process(pin, pid, &found));
    for (unsigned i = 0; what != NULL && i < found.count && i < PLACES_MAX; i++)
        print_message("%s: at %llx in %s\n", what, (unsigned long long)found.places[i].at,
                      found.places[i].map);
    return found.count;
}

/* Returns whether the call has succeeded. */
static bool leaves_nothing(const struct device *device, const struct way *way,
                           unsigned fault)
{
    struct secrets *pin;
    int in[2], out[2], status;
    const bool keeps = v.bench.protocol == SCARD_PROTOCOL_T1 &&
                       device->level <= CCID_LEVEL_TPDU &&
                       (way->pad || way->header[1] == 0xE0);
    const enum until until = fault != 0 ? UNTIL_OFF : keeps ? UNTIL_NEXT : UNTIL_ENDED;
    unsigned before, after;
    char what[128], ended = 0;
    pid_t pid;

    snprintf(what, sizeof what, "%s, %s, fault %u", device->name, way->name, fault);
    assert_return_code(pipe(in) | pipe(out), 0);
    fflush(NULL);
    pid = fork();
    if (pid == 0)
        with_secret(way, until, in[0], out[1]);
    close(out[1]);
    pin = secrets_new(1, 10);
    assert_int_equal(write(in[1], secret(pin, 0), SECRET_LEN), SECRET_LEN);
    assert_int_equal(read(out[0], &ended, 1), 1);
    before = look(pin, pid, NULL);
    assert_int_equal(write(in[1], "g", 1), 1);
    assert_int_equal(read(out[0], &ended, 1), 1);
    after = look(pin, pid, what);
    assert_int_equal(write(in[1], "g", 1), 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_true(before >= 1); /* who looks, sees */
    left += after;
    secrets_free(pin);
    close(in[0]);
    close(in[1]);
    close(out[0]);
    return ended == 's';
}

static void test_calls_leave_no_secret_behind(void **state)
{
    (void)state;
    for (size_t i = 0; i < DEVICES; i++) {
        for (size_t k = 0; k < WAYS; k++) {
            if (!possible(&devices[i], &ways[k]))
                continue;
            begin(&devices[i]);
            assert_true(leaves_nothing(&devices[i], &ways[k], 0));
            virtual_bench_end(&v);
        }
    }
    assert_int_equal(left, 0);
}

/* An answer that gets lost: the command is repeated, given up or aborted. */
static void test_calls_that_fail_leave_no_secret_behind(void **state)
{
    unsigned failures = 0;

    (void)state;
    left = 0;
    for (size_t i = 0; i < DEVICES; i++) {
        for (size_t k = 0; k < WAYS; k++) {
            for (unsigned at = 1; at <= 3 && possible(&devices[i], &ways[k]); at++) {
                const struct fault fault = {.on = FAULT_ON_IN | FAULT_ON_CONTROL,
                                            .kind = FAULT_FAIL,
                                            .at = at,
                                            .result = CCID_USB_STALL};

                begin(&devices[i]);
                fault_usb_arm(&v.faults, fault);
                failures += !leaves_nothing(&devices[i], &ways[k], at);
                virtual_bench_end(&v);
            }
        }
    }
    assert_int_equal(left, 0);
    assert_true(failures > DEVICES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_leave_no_secret_behind),
        cmocka_unit_test(test_calls_that_fail_leave_no_secret_behind),
    };
    const char *sanitizer = getenv("SANITIZE");

    if (sanitizer != NULL && strcmp(sanitizer, "none") != 0) {
        printf("SKIP secrets: b_sanitize=%s keeps what a function has left\n", sanitizer);
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
