/* Makes the disk misbehave for one process: preloaded before libc, it looks at a file named by
 * FAULT_SWITCH before every write and sync of the store's files.
 *
 *   (absent or empty)  nothing
 *   full               writes fail with ENOSPC
 *   stall              writes and syncs wait until the switch says otherwise
 *   sync-fails         syncs fail with EIO
 *
 * Only files with ".db" in their path are touched, so that logs and sockets work as ever. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static int ours(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0) return 0;
    path[n] = 0;
    return strstr(path, ".db") != NULL;
}

static void read_switch(char *out, size_t size) {
    out[0] = 0;
    const char *name = getenv("FAULT_SWITCH");
    if (!name) return;
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    ssize_t n = read(fd, out, size - 1);
    close(fd);
    out[n > 0 ? n : 0] = 0;
}

/* What goes wrong now; waits here while the switch says "stall". */
static int faulty(int fd, const char *fault) {
    char now[32];
    if (!ours(fd)) return 0;
    for (;;) {
        read_switch(now, sizeof now);
        if (strcmp(now, "stall") != 0) return strcmp(now, fault) == 0;
        struct timespec pause = {0, 10 * 1000 * 1000};
        nanosleep(&pause, NULL);
    }
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAIL(code) do { errno = code; return -1; } while (0)

ssize_t write(int fd, const void *b, size_t n) { if (faulty(fd, "full")) FAIL(ENOSPC); return NEXT(write)(fd, b, n); }
ssize_t pwrite(int fd, const void *b, size_t n, off_t at) { if (faulty(fd, "full")) FAIL(ENOSPC); return NEXT(pwrite)(fd, b, n, at); }
ssize_t pwrite64(int fd, const void *b, size_t n, off64_t at) { if (faulty(fd, "full")) FAIL(ENOSPC); return NEXT(pwrite64)(fd, b, n, at); }
int fsync(int fd) { if (faulty(fd, "sync-fails")) FAIL(EIO); return NEXT(fsync)(fd); }
int fdatasync(int fd) { if (faulty(fd, "sync-fails")) FAIL(EIO); return NEXT(fdatasync)(fd); }
