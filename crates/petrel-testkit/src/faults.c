/* What is wrong with the machine, as the process that loads this sees it.
 *
 * Loaded with LD_PRELOAD in front of the C library, below an unchanged program. Orders come
 * through a file that src/faults.rs writes and every process maps. Only calls that a fault
 * concerns are here, and all of them go on to the kernel when nothing is ordered.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* The same as in src/faults.rs, field by field. */
struct orders {
    _Atomic int64_t clock_offset_ms;
    /* How many writes find no room; negative: all. */
    _Atomic int64_t full;
    _Atomic int64_t stalled;
    _Atomic int64_t reads_stalled;
    /* Written here: how many syncs and reads wait for the disk. */
    _Atomic int64_t waiting;
    /* Written here: that somebody obeys. */
    _Atomic int64_t loaded;
};

static struct orders nothing_ordered;
static struct orders *orders = &nothing_ordered;

__attribute__((constructor)) static void load(void) {
    const char *path = getenv("FAULTS");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *map = mmap(NULL, sizeof *orders, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (map == MAP_FAILED)
        return;
    orders = map;
    orders->loaded = 1;
}

/* Whether a full disk is in the way of a file that would reach to `end`. As on a real one,
 * what a file has already may be written again. */
static int is_refused(int file, off_t end) {
    struct stat stat;
    if (orders->full == 0 || fstat(file, &stat) != 0 || !S_ISREG(stat.st_mode))
        return 0;
    if (end <= stat.st_size)
        return 0;
    int64_t left = orders->full;
    while (left > 0 && !atomic_compare_exchange_weak(&orders->full, &left, left - 1))
        ;
    return left != 0;
}

static int no_room(void) {
    errno = ENOSPC;
    return -1;
}

static void wait_while(_Atomic int64_t *stalled) {
    const struct timespec moment = {.tv_nsec = 1000000};
    if (!*stalled)
        return;
    orders->waiting++;
    while (*stalled)
        syscall(SYS_nanosleep, &moment, NULL);
    orders->waiting--;
}

ssize_t write(int file, const void *bytes, size_t count) {
    if (orders->full != 0 && is_refused(file, lseek(file, 0, SEEK_CUR) + (off_t)count))
        return no_room();
    return syscall(SYS_write, file, bytes, count);
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off_t offset) {
    if (is_refused(file, offset + (off_t)count))
        return no_room();
    return syscall(SYS_pwrite64, file, bytes, count, offset);
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t offset) {
    return pwrite64(file, bytes, count, offset);
}

int ftruncate64(int file, off_t length) {
    return is_refused(file, length) ? no_room() : (int)syscall(SYS_ftruncate, file, length);
}

int ftruncate(int file, off_t length) {
    return ftruncate64(file, length);
}

int posix_fallocate64(int file, off_t offset, off_t length) {
    if (is_refused(file, offset + length))
        return ENOSPC;
    return syscall(SYS_fallocate, file, 0, offset, length) == 0 ? 0 : errno;
}

int posix_fallocate(int file, off_t offset, off_t length) {
    return posix_fallocate64(file, offset, length);
}

ssize_t pread64(int file, void *bytes, size_t count, off_t offset) {
    wait_while(&orders->reads_stalled);
    return syscall(SYS_pread64, file, bytes, count, offset);
}

ssize_t pread(int file, void *bytes, size_t count, off_t offset) {
    return pread64(file, bytes, count, offset);
}

int fsync(int file) {
    wait_while(&orders->stalled);
    return syscall(SYS_fsync, file);
}

int fdatasync(int file) {
    wait_while(&orders->stalled);
    return syscall(SYS_fdatasync, file);
}

/* The monotonic clocks are left alone: the kernel's do not jump either. */
int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t offset_ms = orders->clock_offset_ms;
        now->tv_sec += offset_ms / 1000;
        now->tv_nsec += offset_ms % 1000 * 1000000;
        if (now->tv_nsec < 0)
            now->tv_sec--, now->tv_nsec += 1000000000;
        else if (now->tv_nsec >= 1000000000)
            now->tv_sec++, now->tv_nsec -= 1000000000;
    }
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec time;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &time) != 0)
        return -1;
    now->tv_sec = time.tv_sec;
    now->tv_usec = time.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *now) {
    struct timespec time;
    if (clock_gettime(CLOCK_REALTIME, &time) != 0)
        return -1;
    if (now != NULL)
        *now = time.tv_sec;
    return time.tv_sec;
}
