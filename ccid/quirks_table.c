/* SPDX-License-Identifier: BSD-2-Clause */
/* quirks_table.c - who does what, by VID:PID and bcdDevice. A device may have several
 * rows. */
#include "ccid/quirks_table.h"

#define ROW(vid, pid, bits, correct, reason)                                             \
    {                                                                                    \
        vid, pid, 0, 0, QUIRK_ALWAYS, bits, correct, reason                              \
    }
/* Firmware from one version to below another, 0: without an end. */
#define FIRMWARE(vid, pid, from, below, bits, correct, reason)                           \
    {                                                                                    \
        vid, pid, from, below, QUIRK_ALWAYS, bits, correct, reason                       \
    }
#define ONE_AT_A_TIME(vid, pid, name)                                                    \
    ROW(vid, pid, CCID_QUIRK_ONE_AT_A_TIME, NULL, name ": one interface at a time")
#define DEFECTIVE(vid, pid, below, name)                                                 \
    FIRMWARE(vid, pid, 0, below, 0, NULL, name ": this firmware is known to be defective")
#define HOPELESS(vid, pid, name)                                                         \
    ROW(vid, pid, 0, NULL, name ": known not to work as a CCID reader")

const struct quirk_row quirk_rows[] = {
    /* What the descriptor says is wrong. */
    ROW(0x076B, 0x3A21, 0, quirk_chains_without_pin_pad,
        "OMNIKEY 3x21: chains although it says short APDU, and has no PIN pad"),
    ROW(0x076B, 0x3031, 0, quirk_chains_without_pin_pad,
        "OMNIKEY 3x21: chains although it says short APDU, and has no PIN pad"),
    ROW(0x076B, 0x6632, 0, quirk_chains_without_pin_pad,
        "OMNIKEY 6121: chains although it says short APDU, and has no PIN pad"),
    ROW(0x046A, 0x00A7, 0, quirk_chains_without_pin_pad,
        "Cherry keyboard: chains although it says short APDU, and has no PIN pad"),
    ROW(0x0BF8, 0x1024, 0, quirk_chains_without_pin_pad,
        "Fujitsu keyboard: chains although it says short APDU, and has no PIN pad"),
    ROW(0x2F7C, 0x6007, 0, quirk_chains,
        "Diebold Nixdorf PN7362au: chains although it says short APDU"),
    ROW(0x0D46, 0x3010, 0, quirk_never_extended,
        "KOBIL reader: says extended APDU and cannot: short APDUs only"),
    FIRMWARE(0x046A, 0x00A1, 0x0100, 0x0101, CCID_QUIRK_CHAINED_ANSWERS, NULL,
             "Cherry keyboard with firmware 1.00: answers in pieces at short level"),
    ROW(0x09BE, 0x0002, 0, quirk_rubbish,
        "MySMART PAD: its descriptor is rubbish: 4 MHz, 9600 bit/s, TPDU"),

    /* Activation and rates. */
    ROW(0x0B97, 0x7762, CCID_QUIRK_NO_PPS | CCID_QUIRK_NOT_64, NULL,
        "O2Micro OZ776: no PPS; messages of a multiple of 64 bytes go in two transfers"),
    ROW(0x0B97, 0x7772, CCID_QUIRK_NO_PPS | CCID_QUIRK_NOT_64, NULL,
        "O2Micro OZ776: no PPS; messages of a multiple of 64 bytes go in two transfers"),
    FIRMWARE(0x0529, 0x0620, 0x0012, 0x0014, CCID_QUIRK_NO_IFSD, NULL,
             "SafeNet eToken 5100 with firmware 0.12 or 0.13: takes no IFS request"),
    ROW(0x0D46, 0x301D, CCID_QUIRK_POWER_OFF_FIRST, NULL,
        "KOBIL IDToken: powered off before each power on"),
    ROW(0x08E6, 0x4433, CCID_QUIRK_EMV_ESCAPE, NULL,
        "Gemplus GemPC433 Swap: may start in EMV mode, which an escape command ends"),
    ROW(0x046A, 0x0005, CCID_QUIRK_EMV_ESCAPE, NULL,
        "Cherry XX33: may start in EMV mode, which an escape command ends"),
    ROW(0x058F, 0x9540, CCID_QUIRK_RATE_POWER_TWICE, quirk_rate_200000,
        "Alcor AU9540: does not reach its data rates above 200000 bit/s"),
    ROW(0x2CE3, 0x9563, CCID_QUIRK_RATE_POWER_TWICE, quirk_rate_200000,
        "Alcor AK9563: does not reach its data rates above 200000 bit/s"),

    /* Timing. */
    ROW(0x0B81, 0x0200, 0, quirk_boots_slowly,
        "SmartCardBox reader: needs a second to start, and a minute for its first "
        "answer"),
    ROW(0x08E6, 0x34D2, 0, quirk_slow_card,
        "SafeNet eToken Fusion: makes keys without a time extension: five minutes more"),

    /* Slots, presence, power. */
    ROW(0x08E6, 0x3479, CCID_QUIRK_SECONDARY_RATES, NULL,
        "Gemplus GemCore POS Pro: the slots behind the first have other data rates"),
    FIRMWARE(0x08E6, 0x3480, 0x0000, 0x0200,
             CCID_QUIRK_SECONDARY_RATES | CCID_QUIRK_ALWAYS_PRESENT, NULL,
             "Gemplus GemCore SIM Pro below 2.00: always says that a card is in; other "
             "data rates behind the first slot"),
    {0x0424, 0x1202, 0, 0, QUIRK_SECOND_INTERFACE,
     CCID_QUIRK_NO_DETECTOR | CCID_QUIRK_POWER_OFF_FIRST, NULL,
     "Microchip SEC1210: no presence detector at the second interface"},
    ROW(0x0783, 0x0003, CCID_QUIRK_NO_AUTOSUSPEND, NULL,
        "C3PO reader: does not survive USB suspend"),
    ROW(0x058F, 0x9520, CCID_QUIRK_NO_AUTOSUSPEND, NULL,
        "Alcor AU9520: does not survive USB suspend"),
    ONE_AT_A_TIME(0x08E6, 0x5503, "Gemalto Prox Dual"),
    ONE_AT_A_TIME(0x08E6, 0x5504, "Gemalto Prox SU"),
    ONE_AT_A_TIME(0x076B, 0x5422, "OMNIKEY 5422"),
    ONE_AT_A_TIME(0x2CE3, 0x9567, "Alcor AK9567"),
    ONE_AT_A_TIME(0x2CE3, 0x9573, "Alcor AK9572"),
    ONE_AT_A_TIME(0x072F, 0x226B, "ACS dual reader"),
    ONE_AT_A_TIME(0x072F, 0x221A, "ACS ACR1251"),
    ONE_AT_A_TIME(0x072F, 0x223B, "ACS ACR1252"),
    ONE_AT_A_TIME(0x072F, 0x2259, "ACS dual reader"),
    ONE_AT_A_TIME(0x072F, 0x2303, "ACS ACR1552"),
    ONE_AT_A_TIME(0x072F, 0x2301, "ACS ACR1552"),
    ONE_AT_A_TIME(0x096E, 0x060D, "Feitian R502"),
    ONE_AT_A_TIME(0x2947, QUIRK_ANY_PID, "reader with several interfaces"),

    /* PIN pads. */
    ROW(0x03F0, 0x0036, 0, quirk_no_pin_pad,
        "HP keyboard: a typed PIN reaches the computer, too: its PIN pad is not used"),
    ROW(0x03F0, 0x1024, 0, quirk_no_pin_pad,
        "HP keyboard: a typed PIN reaches the computer, too: its PIN pad is not used"),
    ROW(0x0BF8, 0x1017, 0, quirk_no_pin_pad,
        "Fujitsu SmartCase keyboard: a typed PIN reaches the computer, too: its PIN pad "
        "is not used"),
    ROW(0x04F2, 0x1469, 0, quirk_no_pin_pad,
        "Chicony keyboard: a typed PIN reaches the computer, too: its PIN pad is not "
        "used"),
    ROW(0x0783, 0x0006, 0, quirk_no_pin_pad,
        "C3PO LTC31 v2: has no PIN pad, although it says so"),
    FIRMWARE(0x25DD, 0x3111, 0x0111, 0x0112, 0, quirk_no_pin_pad,
             "Bit4id miniLector with firmware 1.11: has no PIN pad, although it says so"),
    ROW(0x08E6, 0x3478, CCID_QUIRK_PIN_ONE_MESSAGE | CCID_QUIRK_PIN_LOAD_TEXTS, NULL,
        "Gemalto GemPC Pinpad: one message, ended by a key; the host loads the texts"),
    ROW(0x0982, 0x0008, CCID_QUIRK_PIN_ONE_MESSAGE | CCID_QUIRK_PIN_LOAD_TEXTS, NULL,
        "Covadis Vega-Alpha: one message, ended by a key; the host loads the texts"),
    {0x08E6, QUIRK_ANY_PID, 0, 0, QUIRK_WITH_PIN_PAD, CCID_QUIRK_PIN_THREE_INDEXES, NULL,
     "Gemalto PIN pad: wants all three message indexes"},
    ROW(0x413C, 0x2100,
        CCID_QUIRK_PIN_NO_MESSAGE | CCID_QUIRK_PIN_DIGITS_SWAPPED | CCID_QUIRK_PIN_WAIT,
        NULL,
        "Dell keyboard SK-3106: no message, PIN lengths swapped, waits for the Enter "
        "key"),
    ROW(0x413C, 0x2101, CCID_QUIRK_PIN_NO_MESSAGE | CCID_QUIRK_PIN_WAIT, NULL,
        "Dell keyboard: no message, waits for the Enter key"),
    ROW(0x04E6, 0xE003,
        CCID_QUIRK_PIN_NO_MESSAGE | CCID_QUIRK_PIN_THREE_INDEXES |
            CCID_QUIRK_PIN_ESCAPE_CASE_1,
        NULL,
        "SCM SPRx32: no message, three message indexes, escape before a case 1 APDU"),
    ROW(0x046A, 0x003E,
        CCID_QUIRK_PIN_NO_MESSAGE | CCID_QUIRK_PIN_THREE_INDEXES | CCID_QUIRK_PIN_0_TO_25,
        NULL,
        "Cherry ST-2000: no message, three message indexes, PINs of 0 to 25 digits"),
    ROW(0x046A, 0x0010, CCID_QUIRK_PIN_THREE_MESSAGES, NULL,
        "Cherry XX44: three messages to change a PIN"),
    ROW(0x046A, 0x00A1, CCID_QUIRK_PIN_TEXT | CCID_QUIRK_PIN_0_TO_32, NULL,
        "Cherry keyboard: a message to change a PIN, PINs of 0 to 32 digits"),
    ROW(0x076B, 0x3821, CCID_QUIRK_PIN_1_TO_31, NULL,
        "OMNIKEY 3821: PINs of 1 to 31 digits"),
    ROW(0x0D46, 0x3010, CCID_QUIRK_SECODER, NULL,
        "KOBIL reader: takes Secoder commands as escape"),
    ROW(0x0D46, 0x4289, CCID_QUIRK_SECODER, NULL,
        "KOBIL reader: takes Secoder commands as escape"),

    /* Firmware that is known to be defective below a version. It is used all the same. */
    DEFECTIVE(0x04E6, 0xE001, 0x0516, "SCM SCR331"),
    DEFECTIVE(0x04E6, 0x5111, 0x0620, "SCM SCR331-DI"),
    DEFECTIVE(0x04E6, 0xE003, 0x0510, "SCM SPRx32"),
    DEFECTIVE(0x0D46, 0x3001, 0x0037, "KOBIL KAAN Base"),
    DEFECTIVE(0x0D46, 0x3002, 0x0037, "KOBIL KAAN Advanced"),
    DEFECTIVE(0x09C3, 0x0008, 0x0203, "ActivCard reader"),
    DEFECTIVE(0x0DC3, 0x1004, 0x0502, "Athena ASEDrive"),
    DEFECTIVE(0x0DC3, 0x1102, 0x0607, "Athena ASEDrive IIIe KB"),
    DEFECTIVE(0x058F, 0x9520, 0x0102, "Alcor AU9520"),
    DEFECTIVE(0x072F, 0x2200, 0x0206, "ACS reader"),
    DEFECTIVE(0x08C3, 0x0402, 0x5000, "Precise reader"),
    DEFECTIVE(0x08C3, 0x0401, 0x5000, "Precise reader"),
    DEFECTIVE(0x0B0C, 0x0050, 0x0101, "Todos Argos Mini II"),
    DEFECTIVE(0x0DC3, 0x0900, 0x0200, "Athena reader"),
    DEFECTIVE(0x03F0, 0x0036, 0x0124, "HP keyboard"),
    DEFECTIVE(0x062D, 0x0001, 0x0102, "THRC reader"),
    DEFECTIVE(0x04E6, 0x5291, 0x0112, "SCM reader"),

    /* Nobody got these to work by the standard. They are tried. */
    HOPELESS(0x0483, 0x2010, "ST reader"),
    HOPELESS(0x04E6, 0x5292, "SCM reader"),
    HOPELESS(0x076B, 0x532A, "OMNIKEY 5321 CLi"),
    HOPELESS(0x076B, 0x5340, "OMNIKEY 5021 CL"),
    HOPELESS(0x08C3, 0x0406, "Precise reader"),
    HOPELESS(0x0980, 0x902F, "MX5 reader"),
    HOPELESS(0x0B8C, 0x000E, "SMART reader"),
    HOPELESS(0x0C4B, 0x0300, "Reiner SCT cyberJack pinpad(a)"),
    HOPELESS(0x0C4B, 0x0500, "Reiner SCT cyberJack RFID"),
    HOPELESS(0x1A6F, 0x0104, "reader"),
    HOPELESS(0x1A74, 0x6356, "ICCD token"),
    HOPELESS(0x1DB2, 0x0600, "DUALi DE-ABCM6"),
    HOPELESS(0x1DB2, 0x0604, "DUALi reader"),
    HOPELESS(0x03EB, 0x6120, "Jinmuyu MR800"),
};

const size_t quirk_row_count = sizeof(quirk_rows) / sizeof(quirk_rows[0]);
