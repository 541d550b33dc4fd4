/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * misuse.c - what programs do to the files of a reader that is not meant for them: each
 * has its errno, nothing of it reaches the card, and the next command works.
 */
#include "misuse_case.h"

#include "calls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

/* ---- writes ------------------------------------------------------------------------ */

struct text {
    const char *what;
    const char *bytes;
    size_t len;
    int expected;
};

#define TEXT(string) string, sizeof string - 1

static void test_control_refuses_what_is_no_apdu(void **state)
{
    static const struct text table[] = {
        {"one byte", TEXT("\x00"), EINVAL},
        {"three bytes", TEXT("\x00\xa4\x00"), EINVAL},
        {"Lc longer than the data", TEXT("\x00\xa4\x04\x00\x08\xf0\x54"), EINVAL},
        {"more than Lc and Le", TEXT("\x00\xa4\x04\x00\x01\xf0\x00\x00"), EINVAL},
        {"an extended Lc of 0 with data", TEXT("\x00\xa4\x04\x00\x00\x00\x00\x01\x02"),
         EINVAL},
        {"text", TEXT("00a4040000\n"), EINVAL},
    };
    static uint8_t large[300000];

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        is(table[i].what, table[i].expected,
           failed(write(control, table[i].bytes, table[i].len)));
    is("65,545 bytes", EMSGSIZE, failed(write(control, large, 65545)));
    is("300,000 bytes", EMSGSIZE, failed(write(control, large, sizeof large)));
    is("no bytes", 0, failed(write(control, "", 0)));
    assert_card_has_counted(1);
}

static void test_transmit_refuses_what_is_no_line_of_hex(void **state)
{
    static const struct text table[] = {
        {"an empty line", TEXT("\n"), EINVAL},
        {"blanks", TEXT("  \n"), EINVAL},
        {"an odd digit", TEXT("80e800000\n"), EINVAL},
        {"no digits", TEXT("hello\n"), EINVAL},
        {"0x", TEXT("0x80e8000004\n"), EINVAL},
        {"a NUL", TEXT("80e8\0000004\n"), EINVAL},
        {"a NUL at the end", TEXT("80e8000004\0"), EINVAL},
        {"two lines", TEXT("80e8000004\n80e8000004\n"), EINVAL},
        {"an empty line before", TEXT("\n80e8000004\n"), EINVAL},
        {"a carriage return within", TEXT("80e8\r000004\n"), EINVAL},
        {"a letter of another alphabet",
         TEXT("80e8\xc3\xa9"
              "0004\n"),
         EINVAL},
        {"too short for an APDU", TEXT("80e800\n"), EINVAL},
        {"not an APDU", TEXT("80e8000004aa\n"), EINVAL},
    };
    static char large[300000];

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        is(table[i].what, table[i].expected,
           failed(write(transmit, table[i].bytes, table[i].len)));
    memset(large, '0', sizeof large);
    is("131,090 digits", EMSGSIZE, failed(write(transmit, large, 131090)));
    is("300,000 digits", EMSGSIZE, failed(write(transmit, large, sizeof large)));
    assert_card_has_counted(1);
}

static void test_second_write_is_busy_and_the_first_answer_stays(void **state)
{
    static const uint8_t echo[] = {0x80, 0xe0, 0, 0, 2, 0xaa, 0xbb};
    uint8_t answer[64];
    char line[64];

    (void)state;
    assert_int_equal(write(control, echo, sizeof echo), sizeof echo);
    is("a second write", EBUSY, failed(write(control, echo, sizeof echo)));
    is("a read of 2 bytes", EMSGSIZE, failed(read(control, answer, 2)));
    assert_int_equal(read(control, answer, sizeof answer), 4);
    assert_memory_equal(answer, "\xaa\xbb\x90\x00", 4);
    is("a read with nothing asked", ENODATA, failed(read(control, answer, 64)));

    assert_int_equal(write(transmit, "80e0000001cc\n", 13), 13);
    is("a second line", EBUSY, failed(write(transmit, "80e0000001dd\n", 13)));
    assert_int_equal(read(transmit, line, sizeof line), 7);
    assert_memory_equal(line, "cc9000\n", 7);
    assert_int_equal(read(transmit, line, sizeof line), 0);
    assert_card_has_counted(3);
}

static void test_writev_is_one_command(void **state)
{
    uint8_t head[] = {0x80, 0xe0, 0, 0}, body[] = {2, 0xaa, 0xbb}, answer[64];
    const struct iovec parts[] = {{head, sizeof head}, {body, sizeof body}};

    (void)state;
    assert_int_equal(writev(control, parts, 2), sizeof head + sizeof body);
    assert_int_equal(read(control, answer, sizeof answer), 4);
    assert_memory_equal(answer, "\xaa\xbb\x90\x00", 4);
    assert_card_has_counted(2);
}

/* ---- flags and file operations -------------------------------------------------------
 */

static void test_append_and_truncate_are_taken_and_mean_nothing(void **state)
{
    static const char *const files[] = {"control", "transmit", "power"};
    char line[64];
    int fd;

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[64];

        close(open_reader(files[i], O_WRONLY | O_TRUNC));
        snprintf(path, sizeof path, "reader0/%s", files[i]);
        is("truncate", 0, failed(truncate(daemon_path(&scardfs, path), 0)));
        is("truncate to 100", 0, failed(truncate(daemon_path(&scardfs, path), 100)));
    }
    fd = open_reader("transmit", O_RDWR | O_APPEND);
    assert_int_equal(write(fd, "80e0000001cc\n", 13), 13);
    assert_int_equal(read(fd, line, sizeof line), 7);
    assert_int_equal(write(fd, "80e0000001dd\n", 13), 13);
    assert_int_equal(read(fd, line, sizeof line), 7);
    assert_memory_equal(line, "dd9000\n", 7);
    close(fd);
    assert_card_has_counted(3);
}

static int map(int fd)
{
    void *area = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (area == MAP_FAILED)
        return errno;
    munmap(area, 4096);
    return 0;
}

static void test_file_operations_have_their_errno(void **state)
{
    char byte[1] = {0};
    int state_file = open_reader("state", O_RDONLY);

    (void)state;
    is("lseek, control", ESPIPE, failed(lseek(control, 0, SEEK_SET)));
    is("pread, control", ESPIPE, failed(pread(control, byte, 1, 0)));
    is("pwrite, control", ESPIPE, failed(pwrite(control, byte, 1, 0)));
    is("lseek, transmit", 0, failed(lseek(transmit, 5, SEEK_SET)));
    is("lseek, state", 0, failed(lseek(state_file, 0, SEEK_SET)));
    is("lseek before the beginning", EINVAL, failed(lseek(state_file, -1, SEEK_SET)));
    is("mmap, control", ENODEV, map(control));
    is("mmap, transmit", ENODEV, map(transmit));
    is("fallocate, control", EOPNOTSUPP, failed(fallocate(control, 0, 0, 10)));
    is("fallocate, transmit", EOPNOTSUPP, failed(fallocate(transmit, 0, 0, 10)));
    is("write, state", EBADF, failed(write(state_file, byte, 1)));
    is("flock, state", EOPNOTSUPP, failed(flock(state_file, LOCK_EX)));
    is("flock shared, control", EINVAL, failed(flock(control, LOCK_SH)));
    is("fsync, control", 0, failed(fsync(control)));
    is("fsetxattr, control", EOPNOTSUPP,
       failed(fsetxattr(control, "user.x", byte, 1, 0)));
    close(state_file);
    assert_card_has_counted(1);
}

/* ---- names ----------------------------------------------------------------------------
 */

static int make(const char *name)
{
    int fd = open(AT(name), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    if (fd >= 0)
        close(fd);
    return failed(fd);
}

static int open_for_writing(const char *name)
{
    int fd = open(AT(name), O_WRONLY | O_CLOEXEC);

    if (fd >= 0)
        close(fd);
    return failed(fd);
}

static void test_nobody_makes_renames_or_removes_anything(void **state)
{
    char long_name[300], from[128];
    struct stat st;

    (void)state;
    snprintf(from, sizeof from, "%s", AT("reader0/state"));
    is("create", EPERM, make("reader0/new"));
    is("mkdir", EPERM, failed(mkdir(AT("new"), 0700)));
    is("mkfifo", EPERM, failed(mkfifo(AT("new"), 0700)));
    is("symlink", EPERM, failed(symlink("x", AT("new"))));
    is("link", EPERM, failed(link(from, AT("new"))));
    is("unlink", EPERM, failed(unlink(from)));
    is("rmdir", EPERM, failed(rmdir(AT("reader0"))));
    is("rename", EPERM, failed(rename(from, AT("reader0/other"))));
    is("chmod", EPERM, failed(chmod(from, 0777)));
    is("chown", EPERM, failed(chown(from, 1, 1)));
    is("a text file for writing", EACCES, open_for_writing("reader0/state"));
    is("a directory for writing", EISDIR, open_for_writing("reader0"));
    memset(long_name, 'a', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = 0;
    is("a long name", ENOENT, failed(stat(AT(long_name), &st)));
    is("a newline", ENOENT, failed(stat(AT("reader0\n"), &st)));
    is("a number with a zero before it", ENOENT, failed(stat(AT("reader00"), &st)));
    is("a file as a directory", ENOTDIR, failed(stat(AT("reader0/state/x"), &st)));
    assert_card_has_counted(1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MISUSE(test_control_refuses_what_is_no_apdu),
        MISUSE(test_transmit_refuses_what_is_no_line_of_hex),
        MISUSE(test_second_write_is_busy_and_the_first_answer_stays),
        MISUSE(test_writev_is_one_command),
        MISUSE(test_append_and_truncate_are_taken_and_mean_nothing),
        MISUSE(test_file_operations_have_their_errno),
        MISUSE(test_nobody_makes_renames_or_removes_anything),
    };

    if (!daemon_possible("misuse"))
        return 77;
    return cmocka_run_group_tests(tests, misuse_begin, misuse_end);
}
