/* SPDX-License-Identifier: BSD-2-Clause */
/* fs-mount-tree.c - what comes and goes with readers, and the stream of states, through
 * the kernel. */
#include "mount_case.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *link_to(const char *name)
{
    static char target[64];
    ssize_t len = readlink(mounted_path(&m, name), target, sizeof target - 1);

    if (len < 0)
        return errno_text(errno);
    target[len] = '\0';
    return target;
}

static nlink_t links_of(const char *name)
{
    struct stat st;

    assert_int_equal(lstat(mounted_path(&m, name), &st), 0);
    return st.st_nlink;
}

static void test_links_lead_to_the_reader_and_go_with_it(void **state)
{
    static const char by_path[] = "by-path/usb-fake-1-if0-slot0";
    struct stat st;

    (void)state;
    assert_string_equal(link_to(by_path), errno_text(ENOENT));
    assert_int_equal(mounted_say(&m, "plug\n"), 0);
    assert_string_equal(link_to(by_path), "../reader1");
    assert_string_equal(mounted_read(&m, "by-path/usb-fake-1-if0-slot0/name"),
                        "Fake Reader (1) 00 00\n");
    assert_int_equal(lstat(mounted_path(&m, by_path), &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(st.st_size, strlen("../reader1"));
    assert_int_equal(mounted_say(&m, "unplug reader1\n"), 0);
    assert_string_equal(link_to(by_path), errno_text(ENOENT));
    assert_int_equal(unlink(mounted_path(&m, "by-path/usb-fake-0-if0-slot0")), -1);
    assert_int_equal(errno, EPERM);
}

static void test_directories_count_their_subdirectories(void **state)
{
    nlink_t root = links_of("."), reader = links_of("reader0");

    (void)state;
    assert_int_equal(root, 2 + 2 + 1);
    assert_int_equal(reader, 2 + 2);
    assert_int_equal(links_of("by-id"), 2);
    assert_int_equal(mounted_say(&m, "plug\n"), 0);
    assert_int_equal(links_of("."), root + 1);
}

/* A line of the stream, without its counter. */
static unsigned next_line(int fd, const char *expected)
{
    char text[64];
    ssize_t len = read(fd, text, sizeof text - 1);
    char *end;
    unsigned long counter;

    assert_true(len > 0);
    text[len] = '\0';
    counter = strtoul(text, &end, 10);
    assert_string_equal(end, expected);
    return (unsigned)counter;
}

static void test_state_stream_starts_at_once_and_tells_every_change(void **state)
{
    int fd = mounted_open(&m, "reader0/events/changes", O_RDONLY | O_NONBLOCK);
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    uint32_t down = SCARD_POWER_DOWN, room = 33;
    int control = mounted_open(&m, "reader0/control", O_RDWR);
    unsigned first;
    char byte;

    (void)state;
    first = next_line(fd, " negotiable\n");
    assert_int_equal(read(fd, &byte, 1), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(poll(&entry, 1, 0), 0);

    assert_int_equal(mounted_call(control, IOCTL_SMARTCARD_POWER, &down, 4, NULL, &room,
                                  FOREVER, NULL),
                     0);
    assert_int_equal(poll(&entry, 1, -1), 1);
    assert_int_equal(entry.revents, POLLIN);
    assert_int_equal(next_line(fd, " swallowed\n"), first + 1);
    assert_int_equal(mounted_say(&m, "remove reader0\n"), 0);
    assert_int_equal(poll(&entry, 1, -1), 1);
    assert_int_equal(next_line(fd, " absent\n"), first + 2);
    close(control);
    close(fd);
}

static void test_state_stream_of_a_slow_reader_shows_what_it_has_missed(void **state)
{
    int fd = mounted_open(&m, "reader0/events/changes", O_RDONLY | O_NONBLOCK);
    unsigned first = next_line(fd, " negotiable\n");

    (void)state;
    assert_int_equal(mounted_say(&m, "remove reader0\ninsert reader0\nremove reader0\n"),
                     0);
    assert_true(next_line(fd, " absent\n") >= first + 3);
    close(fd);
}

static void test_state_stream_parked_read_ends_with_the_reader(void **state)
{
    int fd = mounted_open(&m, "reader0/events/changes", O_RDONLY);
    char text[64];
    pid_t child;

    (void)state;
    next_line(fd, " negotiable\n");
    child = fork();
    if (child == 0)
        _exit(mounted_say(&m, "unplug reader0\n"));
    assert_int_equal(read(fd, text, sizeof text), -1);
    assert_int_equal(errno, ENODEV);
    assert_int_equal(exit_of(child), 0);
    close(fd);
}

static int watch_of(const char *name)
{
    int watcher = inotify_init1(IN_CLOEXEC);

    assert_true(inotify_add_watch(watcher, mounted_path(&m, name), IN_DELETE_SELF) >= 0);
    return watcher;
}

static void wait_deleted(int watcher)
{
    char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    const struct inotify_event *event = (const struct inotify_event *)(void *)buffer;

    assert_true(read(watcher, buffer, sizeof buffer) > 0);
    assert_int_equal(event->mask & IN_DELETE_SELF, IN_DELETE_SELF);
    close(watcher);
}

/* The one change of the tree that inotify(7) sees. */
static void test_watch_of_a_reader_ends_when_it_goes(void **state)
{
    int watcher = watch_of("reader0");

    (void)state;
    assert_int_equal(mounted_say(&m, "unplug reader0\n"), 0);
    wait_deleted(watcher);
}

static void assert_gone(int result)
{
    assert_int_equal(result, -1);
    assert_true(errno == ENODEV || errno == ENOENT);
}

/* The kernel hears of it a moment later; until then what it has kept cannot be opened. */
static void wait_not_in(int directory, const char *name)
{
    struct stat st;
    int result;

    while ((result = fstatat(directory, name, &st, 0)) == 0)
        assert_gone(openat(directory, name, O_RDONLY));
    assert_gone(result);
}

/* Open files keep their names in the kernel, but not when their reader is gone; and the
 * last one that is closed is the end of the directory. */
static void test_names_of_open_files_go_with_the_reader(void **state)
{
    int watcher = watch_of("reader0");
    int reader = mounted_open(&m, "reader0", O_RDONLY | O_DIRECTORY);
    int events = mounted_open(&m, "reader0/events", O_RDONLY | O_DIRECTORY);
    int control = openat(reader, "control", O_RDWR);
    int present = openat(events, "present", O_RDONLY);

    (void)state;
    assert_true(control >= 0 && present >= 0);
    assert_int_equal(mounted_say(&m, "unplug reader0\n"), 0);
    wait_not_in(events, "present");
    wait_not_in(reader, "control");
    wait_not_in(reader, "events");
    close(present);
    close(events);
    close(reader);
    close(control);
    wait_deleted(watcher);
}

/* The number comes back, the inode does not. */
static void test_reader_in_the_place_of_another_is_another_directory(void **state)
{
    struct stat before, after;

    (void)state;
    assert_int_equal(stat(mounted_path(&m, "reader0/atr"), &before), 0);
    assert_int_equal(mounted_say(&m, "unplug reader0\nplug\n"), 0);
    assert_int_equal(stat(mounted_path(&m, "reader0/atr"), &after), 0);
    assert_true(before.st_ino != after.st_ino);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_links_lead_to_the_reader_and_go_with_it),
        CASE(test_directories_count_their_subdirectories),
        CASE(test_state_stream_starts_at_once_and_tells_every_change),
        CASE(test_state_stream_of_a_slow_reader_shows_what_it_has_missed),
        CASE(test_state_stream_parked_read_ends_with_the_reader),
        CASE(test_watch_of_a_reader_ends_when_it_goes),
        CASE(test_names_of_open_files_go_with_the_reader),
        CASE(test_reader_in_the_place_of_another_is_another_directory),
    };

    if (mount_cases_unavailable("fs-mount-tree"))
        return 77;
    mount_cases_deadline();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
