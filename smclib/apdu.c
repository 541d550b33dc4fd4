/* SPDX-License-Identifier: BSD-2-Clause */
/* apdu.c - the forms of a command APDU, ISO/IEC 7816-4 §5.1. */
#include "internal.h"

#define HEADER_LEN        4
#define SHORT_LC_AT       4
#define EXTENDED_LC_AT    5
#define EXTENDED_HEAD_LEN 7 /* header, 00, two bytes of Lc or Le */
#define EXTENDED_LE_LEN   2

bool smc_apdu_is_well_formed(const UCHAR *apdu, size_t len)
{
    size_t lc;

    if (len < HEADER_LEN)
        return false;
    if (len <= HEADER_LEN + 1) /* cases 1 and 2 short */
        return true;
    lc = apdu[SHORT_LC_AT];
    if (lc != 0) /* cases 3 and 4 short */
        return len == 5 + lc || len == 6 + lc;
    if (len < EXTENDED_HEAD_LEN)
        return false;
    if (len == EXTENDED_HEAD_LEN) /* case 2 extended */
        return true;
    lc = (size_t)apdu[EXTENDED_LC_AT] << 8 | apdu[EXTENDED_LC_AT + 1];
    return lc != 0 && (len == EXTENDED_HEAD_LEN + lc ||
                       len == EXTENDED_HEAD_LEN + lc + EXTENDED_LE_LEN);
}
