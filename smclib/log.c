/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log.c - every line that smclib or a driver has to say goes to the client of the I/O
 * manager; without one it is dropped. The library itself never prints.
 */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>

#define LINE_MAX_BYTES 512

static ULONG debug_level;

static void __attribute__((format(printf, 3, 0)))
log_line(PDEVICE_OBJECT device, NTSTATUS status, const char *format, va_list arguments)
{
    char line[LINE_MAX_BYTES];
    size_t len;

    vsnprintf(line, sizeof line, format, arguments);
    for (len = strlen(line); len > 0 && line[len - 1] == '\n'; len--)
        line[len - 1] = '\0';
    smc_io_log(device, status, line);
}

VOID SmcLog(PDEVICE_OBJECT DeviceObject, NTSTATUS Status, const char *Format, ...)
{
    va_list arguments;

    va_start(arguments, Format);
    log_line(DeviceObject, Status, Format, arguments);
    va_end(arguments);
}

VOID SmartcardLogError(PVOID Object, NTSTATUS ErrorCode, PUNICODE_STRING Insertion,
                       ULONG DumpWord)
{
    char text[128] = "";
    size_t count = 0;

    if (Insertion != NULL && Insertion->Buffer != NULL)
        count = Insertion->Length / sizeof(WCHAR);
    if (count > sizeof text - 1)
        count = sizeof text - 1;
    for (size_t i = 0; i < count; i++) {
        WCHAR c = Insertion->Buffer[i];

        text[i] = (char)(c >= 0x20 && c < 0x7f ? c : '?');
    }
    SmcLog(smc_io_is_device(Object) ? Object : NULL, ErrorCode, "%s%s(%#x)", text,
           count > 0 ? " " : "", (unsigned)DumpWord);
}

ULONG SmartcardGetDebugLevel(VOID)
{
    return __atomic_load_n(&debug_level, __ATOMIC_RELAXED);
}

VOID SmartcardSetDebugLevel(ULONG Level)
{
    __atomic_store_n(&debug_level, Level, __ATOMIC_RELAXED);
}

VOID SmartcardDebugPrint(const char *Format, ...)
{
    va_list arguments;

    va_start(arguments, Format);
    log_line(NULL, STATUS_SUCCESS, Format, arguments);
    va_end(arguments);
}
