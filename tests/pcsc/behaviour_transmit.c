/* SPDX-License-Identifier: BSD-2-Clause */
/* behaviour_transmit.c - SCardTransmit, SCardStatus, SCardControl and attributes. */
#include "behaviour.h"

#include <string.h>

#define LONGEST MAX_BUFFER_SIZE_EXTENDED

static unsigned char command[LONGEST + 8], answer[LONGEST + 8];

static void transmit_step(const char *name, SCARDHANDLE card, const SCARD_IO_REQUEST *pci,
                          DWORD len, DWORD room)
{
    DWORD got = room;
    LONG code = SCardTransmit(card, pci, command, len, NULL, answer, &got);
    const bool ended = code == SCARD_S_SUCCESS && got >= 2;

    step(code, name, " %lu bytes%s", got,
         ended && answer[got - 2] == 0x90 ? " 9000"
         : ended                          ? " other"
                                          : "");
}

static void extended_case_4(DWORD len)
{
    memset(command, 0, sizeof command);
    command[0] = 0x80;
    command[1] = 0xE0; /* ECHO */
    command[5] = (unsigned char)(len >> 8);
    command[6] = (unsigned char)len;
    for (DWORD i = 0; i < len; i++)
        command[7 + i] = (unsigned char)i;
}

static void run_lengths(SCARDHANDLE card, const SCARD_IO_REQUEST *pci)
{
    static const unsigned char select[] = {0x00, 0xA4, 0x00, 0x00, 0x02, 0x3F, 0x00};

    memcpy(command, select, sizeof select);
    transmit_step("room for more", card, pci, sizeof select, 300);
    transmit_step("room for it", card, pci, sizeof select, 2);
    transmit_step("room for less", card, pci, sizeof select, 1);
    transmit_step("no room", card, pci, sizeof select, 0);
    transmit_step("much room", card, pci, sizeof select, LONGEST);
    transmit_step("a command too long", card, pci, LONGEST + 1, 300);
    command[1] = 0xCA;
    command[4] = 100;
    transmit_step("100 bytes", card, pci, 5, 300);
    transmit_step("100 bytes, room for 101", card, pci, 5, 101);
    command[1] = 0x99;
    transmit_step("an unknown command", card, pci, 5, 300);
    extended_case_4(1000);
    transmit_step("1,000 bytes there and back", card, pci, 1007, LONGEST);
    extended_case_4(40000);
    transmit_step("40,000 bytes there and back", card, pci, 40007, LONGEST);
    memcpy(command, (const unsigned char[]){0x80, 0xE2, 0xEA, 0x60, 0, 0, 0}, 7);
    transmit_step("60,000 bytes back", card, pci, 7, LONGEST);
    transmit_step("60,000 bytes back, room for less", card, pci, 7, 1000);
    memcpy(command, (const unsigned char[]){0x00, 0x20, 0x00, 0x01, 0x06}, 5);
    memcpy(command + 5, "999999", 6);
    transmit_step("a wrong PIN", card, pci, 11, 300);
    memcpy(command + 5, "123456", 6);
    transmit_step("the PIN", card, pci, 11, 300);
    memcpy(command, (const unsigned char[]){0x80, 0xE6, 0x00, 0x00}, 4);
    transmit_step("is verified", card, pci, 4, 300);
}

void run_transmit(void)
{
    SCARDCONTEXT context = new_context();
    SCARDHANDLE card = new_card(context);
    SCARD_IO_REQUEST pci = {SCARD_PROTOCOL_T1, sizeof pci};
    DWORD len = sizeof answer;

    group("transmit");
    memcpy(command, (const unsigned char[]){0x00, 0xA4, 0x00, 0x00}, 4);
    step(SCardTransmit(card, NULL, command, 4, NULL, answer, &len), "no header", "%s",
         "");
    step(SCardTransmit(card, &pci, NULL, 4, NULL, answer, &len), "no command", "%s", "");
    step(SCardTransmit(card, &pci, command, 4, NULL, NULL, &len), "no place", "%s", "");
    step(SCardTransmit(card, &pci, command, 4, NULL, answer, NULL), "no length", "%s",
         "");
    transmit_step("no such handle", 12345, &pci, 4, 300);
    transmit_step("T=1", card, SCARD_PCI_T1, 4, 300);
    transmit_step("T=0, which is not selected", card, SCARD_PCI_T0, 4, 300);
    pci.cbPciLength = 8;
    transmit_step("a header of 8 bytes", card, &pci, 4, 300);
    pci.dwProtocol = SCARD_PROTOCOL_UNDEFINED;
    transmit_step("no protocol", card, &pci, 4, 300);
    pci.dwProtocol = SCARD_PROTOCOL_ANY;
    transmit_step("any protocol", card, &pci, 4, 300);
    run_lengths(card, SCARD_PCI_T1);
    need(SCardReleaseContext(context), "the end of the context");
}

/* ---- status ---------------------------------------------------------------------- */

void run_status(void)
{
    SCARDCONTEXT context = new_context();
    SCARDHANDLE card = new_card(context);
    DWORD name_len = 0, atr_len = 0, state = 0;
    unsigned char atr[MAX_ATR_SIZE];
    char name[MAX_READERNAME];
    const DWORD all = strlen(reader) + 1;
    unsigned char *given_atr = NULL;
    char *given_name = NULL;
    LONG code;

    group("status");
    status_step("all of it", card);
    status_step("of no handle", 12345);
    step(SCardStatus(card, NULL, NULL, NULL, NULL, NULL, NULL), "nothing", "%s", "");
    code = SCardStatus(card, NULL, &name_len, NULL, NULL, NULL, &atr_len);
    step(code, "lengths", " name %d atr %lu", name_len == all, atr_len);
    name_len = 3;
    atr_len = sizeof atr;
    code = SCardStatus(card, name, &name_len, NULL, NULL, atr, &atr_len);
    step(code, "a name too small", " name %d atr %lu", name_len == all, atr_len);
    name_len = sizeof name;
    atr_len = 3;
    code = SCardStatus(card, name, &name_len, &state, NULL, atr, &atr_len);
    step(code, "an ATR too small", " name %d atr %lu state %lx", name_len == all, atr_len,
         counted(state));
    name_len = atr_len = SCARD_AUTOALLOCATE;
    code = SCardStatus(card, (char *)&given_name, &name_len, NULL, NULL,
                       (unsigned char *)&given_atr, &atr_len);
    step(code, "allocated", " name %d atr %lu %s", name_len == all, atr_len,
         given_name != NULL && strcmp(given_name, reader) == 0 ? "right" : "wrong");
    step(SCardFreeMemory(context, given_name), "name freed", "%s", "");
    step(SCardFreeMemory(context, given_atr), "ATR freed", "%s", "");
    name_len = SCARD_AUTOALLOCATE;
    step(SCardStatus(card, NULL, &name_len, NULL, NULL, NULL, NULL), "allocated nowhere",
         "%s", "");
    need(SCardReleaseContext(context), "the end of the context");
}

/* ---- control and attributes ------------------------------------------------------ */

static void attribute_step(const char *name, SCARDHANDLE card, DWORD tag, DWORD room)
{
    DWORD len = room;
    LONG code = SCardGetAttrib(card, tag, answer, &len);

    step(code, name, "%s", code == SCARD_S_SUCCESS && len > 0 ? " a value" : "");
}

static void run_attributes(SCARDCONTEXT context, SCARDHANDLE card)
{
    void *given = NULL;
    DWORD len = 0;
    LONG code;

    group("attribute");
    attribute_step("ATR", card, SCARD_ATTR_ATR_STRING, MAX_BUFFER_SIZE);
    attribute_step("vendor", card, SCARD_ATTR_VENDOR_NAME, MAX_BUFFER_SIZE);
    attribute_step("name", card, SCARD_ATTR_DEVICE_FRIENDLY_NAME_A, MAX_BUFFER_SIZE);
    attribute_step("system name", card, SCARD_ATTR_DEVICE_SYSTEM_NAME_A, MAX_BUFFER_SIZE);
    attribute_step("presence", card, SCARD_ATTR_ICC_PRESENCE, MAX_BUFFER_SIZE);
    attribute_step("channel", card, SCARD_ATTR_CHANNEL_ID, MAX_BUFFER_SIZE);
    attribute_step("unheard of", card, 0x12345, MAX_BUFFER_SIZE);
    attribute_step("of no handle", 12345, SCARD_ATTR_ATR_STRING, MAX_BUFFER_SIZE);
    attribute_step("too small", card, SCARD_ATTR_ATR_STRING, 3);
    code = SCardGetAttrib(card, SCARD_ATTR_ATR_STRING, NULL, &len);
    step(code, "length", " %lu", len);
    step(SCardGetAttrib(card, SCARD_ATTR_ATR_STRING, answer, NULL), "no length", "%s",
         "");
    len = SCARD_AUTOALLOCATE;
    code = SCardGetAttrib(card, SCARD_ATTR_ATR_STRING, (unsigned char *)&given, &len);
    step(code, "allocated", " %lu %s", len, given != NULL ? "given" : "");
    step(SCardFreeMemory(context, given), "freed", "%s", "");
    step(SCardSetAttrib(card, SCARD_ATTR_ATR_STRING, answer, 3), "ATR set", "%s", "");
    step(SCardSetAttrib(card, SCARD_ATTR_ATR_STRING, NULL, 3), "set to nothing", "%s",
         "");
    step(SCardSetAttrib(card, SCARD_ATTR_ATR_STRING, answer, 0), "set to no bytes", "%s",
         "");
    step(SCardSetAttrib(12345, SCARD_ATTR_ATR_STRING, answer, 3), "set of no handle",
         "%s", "");
}

static void control_step(const char *name, SCARDHANDLE card, DWORD code, DWORD room)
{
    DWORD len = 0xDEAD;
    LONG result = SCardControl(card, code, NULL, 0, answer, room, &len);

    step(result, name, " length %s", len == 0 ? "0" : len == 0xDEAD ? "kept" : "more");
}

void run_control(void)
{
    SCARDCONTEXT context = new_context();
    SCARDHANDLE card = new_card(context);
    DWORD len;

    group("control");
    control_step("features", card, CM_IOCTL_GET_FEATURE_REQUEST, 300);
    control_step("of no handle", 12345, CM_IOCTL_GET_FEATURE_REQUEST, 300);
    control_step("unheard of", card, SCARD_CTL_CODE(1234), 300);
    step(
        SCardControl(card, SCARD_CTL_CODE(1234), command, LONGEST + 1, answer, 300, &len),
        "too long", "%s", "");
    step(SCardControl(card, SCARD_CTL_CODE(1234), NULL, 0, NULL, 0, NULL),
         "nothing at all", "%s", "");
    run_attributes(context, card);
    need(SCardReleaseContext(context), "the end of the context");
}
