/* SPDX-License-Identifier: BSD-2-Clause */
/* hexline.c - a command or an answer as one line of hexadecimal. */
#include "fs/hexline.h"

#include <errno.h>

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

ssize_t scfs_hexline_read(const char *text, size_t len, uint8_t *out, size_t room)
{
    size_t count = 0;

    if (len > 0 && text[len - 1] == '\n')
        len--;
    if (len > 0 && text[len - 1] == '\r')
        len--;
    for (size_t i = 0; i < len;) {
        int high, low;

        if (text[i] == ' ' || text[i] == '\t') {
            i++;
            continue;
        }
        high = digit(text[i]);
        low = i + 1 < len ? digit(text[i + 1]) : -1;
        if (high < 0 || low < 0)
            return -EINVAL;
        if (count < room)
            out[count] = (uint8_t)(high << 4 | low);
        count++;
        i += 2;
    }
    /* Only now: a line that is wrong and too long is wrong. */
    return count <= room ? (ssize_t)count : -EMSGSIZE;
}

size_t scfs_hexline_write(char *out, size_t size, size_t off, const uint8_t *bytes,
                          size_t len)
{
    static const char digits[] = "0123456789abcdef";
    size_t done = 0;

    for (; done < size && off < 2 * len; done++, off++)
        out[done] = digits[off % 2 == 0 ? bytes[off / 2] >> 4 : bytes[off / 2] & 15];
    if (done < size && off == 2 * len)
        out[done++] = '\n';
    return done;
}
