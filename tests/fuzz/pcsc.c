/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pcsc.c - the PC/SC library and a program on a hostile mount: the seed of failures (two
 * bytes), then calls (enum pcsc_call and what stands beside it), each followed by what
 * the mount says to it.
 *
 * Every code is one of PC/SC's. Lengths are within their rooms, strings are ended, and
 * only what succeeds gives something. Afterwards no file of the mount is open.
 */
#include <stdlib.h>
#include <string.h>

#include "contrib/pcsc/library.h"
#include "faults.h"
#include "fuzz.h"
#include "hostile_mount.h"

#define CALLS_MAX    100
#define CONTEXTS_MAX 4
#define CARDS_MAX    4
#define STATES_MAX   4

enum pcsc_call {
    PCSC_ESTABLISH,   /* context, scope */
    PCSC_RELEASE,     /* context */
    PCSC_CANCEL,      /* context */
    PCSC_LIST,        /* context, room */
    PCSC_GROUPS,      /* context, room */
    PCSC_CHANGE,      /* context, timeout (100 ms each), states; name and known state (two
                         bytes) of each */
    PCSC_CONNECT,     /* context, card, name, share, protocols */
    PCSC_RECONNECT,   /* card, share, protocols, initialization */
    PCSC_DISCONNECT,  /* card, disposition */
    PCSC_TRANSACTION, /* card, 0: begin, else the disposition and one */
    PCSC_STATUS,      /* card, rooms of name and ATR */
    PCSC_TRANSMIT,    /* card, length, room (two bytes each), bytes */
    PCSC_CONTROL,     /* card, code (four bytes), length, room, bytes */
    PCSC_GET,         /* card, tag (four bytes), room */
    PCSC_SET,         /* card, tag (four bytes), length, bytes */
    PCSC_CALLS
};

static SCARDCONTEXT context[CONTEXTS_MAX];
static SCARDHANDLE card[CARDS_MAX];
static struct fuzz_input *input;

static LONG checked(LONG code)
{
    FUZZ_CHECK(strncmp(pcsc_stringify_error(code), "Unknown", 7) != 0);
    return code;
}

static SCARDCONTEXT *context_of_input(void)
{
    return &context[fuzz_u8(input) % CONTEXTS_MAX];
}

static SCARDHANDLE *card_of_input(void)
{
    return &card[fuzz_u8(input) % CARDS_MAX];
}

/* One that the mount has, what asks for arrivals, or another. */
static const char *name_of_input(void)
{
    static const char *const fixed[] = {
        "Reader 0", "Reader 1", "Reader 2", "Reader 3", "\\\\?PnP?\\Notification",
        "",         "Nobody"};
    const uint8_t which = fuzz_u8(input);
    const char *name = hostile_mount_name(which - 8u);

    return which < 8 || name == NULL ? fixed[which % 7] : name;
}

/* A piece of memory of just that length, or none. */
static uint8_t *room_of(size_t room)
{
    uint8_t *bytes;

    if (room == 0)
        return NULL;
    fuzz_faults_pause();
    bytes = malloc(room);
    fuzz_faults_resume();
    FUZZ_CHECK(bytes != NULL);
    return bytes;
}

/* ---- readers ----------------------------------------------------------------------- */

static void check_multi_string(const char *names, DWORD len)
{
    FUZZ_CHECK(len >= 1 && names[len - 1] == '\0');
    if (len > 1)
        FUZZ_CHECK(names[len - 2] == '\0' && names[0] != '\0');
    for (const char *name = names; name < names + len - 1; name += strlen(name) + 1)
        FUZZ_CHECK(strlen(name) < MAX_READERNAME && strlen(name) > 0);
}

/* Room 0: memory of the library's; 1: only the length. */
static void list(LONG (*function)(SCARDCONTEXT, char *, DWORD *))
{
    const SCARDCONTEXT of = *context_of_input();
    const uint8_t room = fuzz_u8(input);
    char *names = NULL, *bytes;
    DWORD len = room;

    if (room == 0) {
        len = SCARD_AUTOALLOCATE;
        if (checked(function(of, (char *)&names, &len)) == SCARD_S_SUCCESS) {
            check_multi_string(names, len);
            FUZZ_CHECK(SCardFreeMemory(of, names) == SCARD_S_SUCCESS);
        }
        return;
    }
    bytes = room == 1 ? NULL : (char *)room_of(room);
    if (checked(function(of, bytes, &len)) == SCARD_S_SUCCESS && bytes != NULL) {
        FUZZ_CHECK(len <= room);
        check_multi_string(bytes, len);
    }
    free(bytes);
}

static LONG list_readers(SCARDCONTEXT of, char *names, DWORD *len)
{
    return SCardListReaders(of, NULL, names, len);
}

static void change(void)
{
    const SCARDCONTEXT of = *context_of_input();
    const uint8_t timeout = fuzz_u8(input);
    const DWORD count = fuzz_u8(input) % (STATES_MAX + 1);
    SCARD_READERSTATE *states =
        (SCARD_READERSTATE *)(void *)room_of(count * sizeof *states);
    LONG result;

    for (DWORD i = 0; i < count; i++) {
        memset(&states[i], 0, sizeof states[i]);
        states[i].szReader = name_of_input();
        states[i].dwCurrentState = fuzz_u16(input) | (DWORD)fuzz_u8(input) << 16;
    }
    result = checked(SCardGetStatusChange(of, timeout == 255 ? INFINITE : timeout * 100u,
                                          states, count));
    for (DWORD i = 0; i < count && result == SCARD_S_SUCCESS; i++) {
        FUZZ_CHECK(states[i].cbAtr <= MAX_ATR_SIZE);
        if (states[i].dwEventState & SCARD_STATE_PRESENT)
            FUZZ_CHECK((states[i].dwEventState & SCARD_STATE_EMPTY) == 0);
    }
    free(states);
}

/* ---- cards ------------------------------------------------------------------------- */

static void connect_card(void)
{
    const SCARDCONTEXT of = *context_of_input();
    SCARDHANDLE *handle = card_of_input(), got = -1;
    const char *name = name_of_input();
    const uint8_t share = fuzz_u8(input), protocols = fuzz_u8(input);
    DWORD protocol = 99;
    LONG result =
        checked(SCardConnect(of, name, share % 5, protocols % 16, &got, &protocol));

    FUZZ_CHECK((result == SCARD_S_SUCCESS) == (got != 0));
    FUZZ_CHECK(protocol <= SCARD_PROTOCOL_T15);
    if (result == SCARD_S_SUCCESS && *handle == 0)
        *handle = got;
    else if (result == SCARD_S_SUCCESS)
        (void)SCardDisconnect(got, SCARD_LEAVE_CARD);
}

static void status(void)
{
    const SCARDHANDLE of = *card_of_input();
    const uint8_t name_room = fuzz_u8(input), atr_room = fuzz_u8(input);
    char *name = (char *)room_of(name_room);
    uint8_t *atr = room_of(atr_room);
    DWORD name_len = name_room, atr_len = atr_room, state = 0, protocol = 0;

    if (checked(SCardStatus(of, name, &name_len, &state, &protocol, atr, &atr_len)) ==
        SCARD_S_SUCCESS) {
        if (name != NULL)
            FUZZ_CHECK(name_len <= name_room && name[name_len - 1] == '\0');
        if (atr != NULL)
            FUZZ_CHECK(atr_len <= atr_room);
        FUZZ_CHECK(state != 0);
    }
    free(name);
    free(atr);
}

static void transmit(void)
{
    const SCARDHANDLE of = *card_of_input();
    const size_t wanted = fuzz_u16(input), room = fuzz_u16(input);
    SCARD_IO_REQUEST received;
    size_t len;
    uint8_t *command, *answer = room_of(room > 0 ? room : 1);
    DWORD got = room;

    fuzz_faults_pause();
    command = fuzz_piece(input, wanted, &len);
    fuzz_faults_resume();
    if (checked(SCardTransmit(of, &g_rgSCardT1Pci, command, len, &received, answer,
                              &got)) == SCARD_S_SUCCESS)
        FUZZ_CHECK(got <= room);
    free(command);
    free(answer);
}

static void control(void)
{
    const SCARDHANDLE of = *card_of_input();
    const uint32_t code = fuzz_u32(input);
    const uint8_t wanted = fuzz_u8(input), room = fuzz_u8(input);
    size_t len;
    uint8_t *bytes, *answer = room_of(room);
    DWORD got = 99;

    fuzz_faults_pause();
    bytes = fuzz_piece(input, wanted, &len);
    fuzz_faults_resume();
    if (checked(SCardControl(of, code, bytes, len, answer, room, &got)) ==
        SCARD_S_SUCCESS)
        FUZZ_CHECK(got <= room);
    else
        FUZZ_CHECK(got == 0);
    free(bytes);
    free(answer);
}

static void attribute(bool set)
{
    const SCARDHANDLE of = *card_of_input();
    const uint32_t tag = fuzz_u32(input);
    const uint8_t room = fuzz_u8(input);
    uint8_t *value = room_of(room);
    DWORD len = room;

    if (set) {
        if (value != NULL)
            fuzz_read(input, value, room);
        (void)checked(SCardSetAttrib(of, tag, value, len));
    } else if (checked(SCardGetAttrib(of, tag, value, &len)) == SCARD_S_SUCCESS &&
               value != NULL) {
        FUZZ_CHECK(len <= room);
    }
    free(value);
}

/* ---- all of them ------------------------------------------------------------------- */

static void call(void)
{
    SCARDCONTEXT *of;
    SCARDHANDLE *handle;
    DWORD protocol;
    uint8_t share, protocols, which;

    switch (fuzz_u8(input) % PCSC_CALLS) {
    case PCSC_ESTABLISH:
        of = context_of_input();
        if (*of == 0)
            (void)checked(SCardEstablishContext(fuzz_u8(input) % 5, NULL, NULL, of));
        break;
    case PCSC_RELEASE:
        of = context_of_input();
        FUZZ_CHECK((checked(SCardReleaseContext(*of)) == SCARD_S_SUCCESS) == (*of != 0));
        *of = 0;
        break;
    case PCSC_CANCEL:
        of = context_of_input();
        FUZZ_CHECK(SCardIsValidContext(*of) == checked(SCardCancel(*of)));
        break;
    case PCSC_LIST:
        list(list_readers);
        break;
    case PCSC_GROUPS:
        list(SCardListReaderGroups);
        break;
    case PCSC_CHANGE:
        change();
        break;
    case PCSC_CONNECT:
        connect_card();
        break;
    case PCSC_RECONNECT:
        handle = card_of_input();
        share = fuzz_u8(input), protocols = fuzz_u8(input), which = fuzz_u8(input);
        (void)checked(
            SCardReconnect(*handle, share % 5, protocols % 16, which % 4, &protocol));
        break;
    case PCSC_DISCONNECT:
        handle = card_of_input();
        (void)checked(SCardDisconnect(*handle, fuzz_u8(input) % 4));
        *handle = 0;
        break;
    case PCSC_TRANSACTION:
        handle = card_of_input();
        which = fuzz_u8(input);
        (void)checked(which == 0 ? SCardBeginTransaction(*handle)
                                 : SCardEndTransaction(*handle, which - 1u));
        break;
    case PCSC_STATUS:
        status();
        break;
    case PCSC_TRANSMIT:
        transmit();
        break;
    case PCSC_CONTROL:
        control();
        break;
    case PCSC_GET:
        attribute(false);
        break;
    default:
        attribute(true);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    const uint16_t seed = fuzz_u16(&in);

    input = &in;
    memset(context, 0, sizeof context);
    memset(card, 0, sizeof card);
    hostile_mount(&in);
    fuzz_faults(seed);
    for (int i = 0; i < CALLS_MAX && fuzz_left(&in) > 0; i++)
        call();
    fuzz_faults(0);
    hostile_mount(NULL);
    for (int i = 0; i < CARDS_MAX; i++)
        (void)SCardDisconnect(card[i], SCARD_RESET_CARD);
    for (int i = 0; i < CONTEXTS_MAX; i++)
        (void)SCardReleaseContext(context[i]);
    FUZZ_CHECK(hostile_mount_open_files() == 0);
    return 0;
}
