/* SPDX-License-Identifier: BSD-2-Clause */
/* test-convert.c - errors and protocols of the mount as PC/SC has them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "contrib/pcsc/library.h"

static void test_errors(void **state)
{
    static const struct {
        int error;
        LONG code;
    } rows[] = {
        {0, SCARD_S_SUCCESS},
        {ENOENT, SCARD_E_UNKNOWN_READER},
        {ENODEV, SCARD_E_READER_UNAVAILABLE},
        {ENOMEDIUM, SCARD_E_NO_SMARTCARD},
        {ENXIO, SCARD_W_REMOVED_CARD},
        {ECONNRESET, SCARD_W_RESET_CARD},
        {ECANCELED, SCARD_W_RESET_CARD},
        {EBUSY, SCARD_E_SHARING_VIOLATION},
        {EHOSTDOWN, SCARD_W_UNPOWERED_CARD},
        {EACCES, SCARD_W_SECURITY_VIOLATION},
        {ENFILE, SCARD_E_SERVER_TOO_BUSY},
        {EDQUOT, SCARD_E_SERVER_TOO_BUSY},
        {EMSGSIZE, SCARD_E_INSUFFICIENT_BUFFER},
        {ENOBUFS, SCARD_E_INSUFFICIENT_BUFFER},
        {EINVAL, SCARD_E_INVALID_PARAMETER},
        {EOPNOTSUPP, SCARD_E_UNEXPECTED},
        {ENOTTY, SCARD_E_UNEXPECTED},
        {ENOTCONN, SCARD_E_NO_SERVICE},
        {ECONNABORTED, SCARD_E_NO_SERVICE},
        {EIO, SCARD_F_COMM_ERROR},
        {ETIMEDOUT, SCARD_F_COMM_ERROR},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(convert_error(rows[i].error), rows[i].code);
}

static void test_protocols_there_and_back(void **state)
{
    static const DWORD protocols[] = {SCARD_PROTOCOL_T0, SCARD_PROTOCOL_T1,
                                      SCARD_PROTOCOL_RAW, SCARD_PROTOCOL_UNDEFINED};

    (void)state;
    for (size_t i = 0; i < sizeof protocols / sizeof protocols[0]; i++)
        assert_int_equal(convert_protocol(convert_to_protocols(protocols[i])),
                         protocols[i]);
    assert_int_equal(convert_to_protocols(SCARD_PROTOCOL_T15 | SCARD_PROTOCOL_T0),
                     SCARD_PROTOCOL_T0);
}

static void test_every_code_has_words_of_its_own(void **state)
{
    static const LONG codes[] = {
        SCARD_S_SUCCESS,        SCARD_E_INVALID_HANDLE,    SCARD_E_TIMEOUT,
        SCARD_E_NO_SERVICE,     SCARD_E_SHARING_VIOLATION, SCARD_W_REMOVED_CARD,
        SCARD_W_RESET_CARD,     SCARD_E_NO_SMARTCARD,      SCARD_E_UNKNOWN_READER,
        SCARD_E_NOT_TRANSACTED,
    };

    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        assert_null(strstr(pcsc_stringify_error(codes[i]), "0x"));
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(pcsc_stringify_error(codes[i]),
                                    pcsc_stringify_error(codes[j]));
    }
    /* Programs keep codes in an int, which makes them negative. */
    assert_string_equal(pcsc_stringify_error((LONG)(int)0x80100003),
                        pcsc_stringify_error(SCARD_E_INVALID_HANDLE));
    assert_string_equal(pcsc_stringify_error(0x12345678), "Unknown error: 0x12345678");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_protocols_there_and_back),
        cmocka_unit_test(test_every_code_has_words_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
