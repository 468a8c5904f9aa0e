/*
 * A library to be preloaded: at one chosen system call on one directory tree, the process dies,
 * the call fails, or the power goes.
 *
 * It watches the calls of the C library that reach the tree below `root`, and those on sockets if
 * that is asked for; the others pass. Nothing happens before shim_arm(), which a child calls
 * behind its fork, or which the variable SHIM makes at the start of a program. What it cannot see,
 * a call made without the C library's named functions, is found by comparing its log with
 * strace's (test_seam.py).
 *
 * cc -shared -fPIC -O1 -o shim.so shim.c
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { COUNT, KILL, FAIL, FAIL_ON, SHORT, CUT }; /* FAIL_ON: so does all that needs room then */

#define FDS 1024
#define NAME 200
#define FS_IOC_SHUTDOWN 0x8004587d
static char root[NAME];
static size_t root_length;
static char log_path[NAME]; /* in place of log_fd, for a program that closes what it does not know */
static int is_armed, action, number, log_fd = -1, cut_fd = -1, sees_sockets;
static long point, count;
static char paths[FDS][NAME]; /* of each descriptor below root, "" for others */

/* Where things begin: `at` is the call that `what` happens at, from 1. Returns nothing. */
void shim_arm(const char *tree, long at, int what, int error, int log, int cut, int sockets) {
    snprintf(root, sizeof root, "%s", tree);
    root_length = strlen(root);
    memset(paths, 0, sizeof paths);
    point = at;
    action = what;
    number = error;
    log_fd = log;
    cut_fd = cut;
    sees_sockets = sockets;
    count = 0;
    is_armed = 1;
}

/* For a process that cannot call it: SHIM="at what error sockets log tree", from its start. */
__attribute__((constructor)) static void arm_from_environment(void) {
    const char *orders = getenv("SHIM");
    char tree[NAME];
    long at;
    int what, error, sockets;
    if (orders && sscanf(orders, "%ld %d %d %d %199s %199s", &at, &what, &error, &sockets,
                         log_path, tree) == 6)
        shim_arm(tree, at, what, error, -1, -1, sockets);
}

static void say(const char *text, const char *name, const char *path) {
    char line[2 * NAME];
    int length = snprintf(line, sizeof line, "%s %s %s\n", text, name, path);
    int before = errno, fd = log_fd;
    if (log_path[0])
        fd = syscall(SYS_openat, AT_FDCWD, log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fd >= 0)
        syscall(SYS_write, fd, line, length);
    if (log_path[0])
        syscall(SYS_close, fd);
    errno = before;
}

/* Whether a full disk is in the way: what is written in place, read or removed needs no room. */
static int needs_room(const char *name) {
    return !strcmp(name, "create") || !strncmp(name, "write", 5) || !strcmp(name, "fsync") ||
           !strncmp(name, "link", 4) || !strncmp(name, "mkdir", 5) || !strncmp(name, "rename", 6);
}

/* What is to become of this call: 0 go on, -1 fail, 1 do half of it. */
static int meet(const char *name, const char *path) {
    long mine = __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);
    if (action == COUNT) {
        say("call", name, path);
        return 0;
    }
    if (mine != point && !(action == FAIL_ON && mine > point && needs_room(name)))
        return 0;
    say(action == SHORT ? "shortening" : "failing", name, path);
    switch (action) {
    case CUT: { /* `number` says whether the journal still reaches the disk */
        uint32_t flags = number;
        syscall(SYS_ioctl, cut_fd, FS_IOC_SHUTDOWN, &flags);
    } /* fall through */
    case KILL:
        syscall(SYS_kill, getpid(), SIGKILL);
        for (;;)
            pause();
    case SHORT:
        return 1;
    default:
        errno = number;
        return -1;
    }
}

/* The path of `name` below the descriptor, or NULL where it is none of ours. */
static const char *reach(int directory, const char *name, char *space) {
    if (!is_armed || name == NULL)
        return NULL;
    if (name[0] == '/') {
        if (strncmp(name, root, root_length) || (name[root_length] && name[root_length] != '/'))
            return NULL;
        snprintf(space, NAME, ".%s", name + root_length);
        return space;
    }
    if (directory < 0 || directory >= FDS || !paths[directory][0])
        return NULL;
    snprintf(space, NAME, "%.90s/%.100s", paths[directory], name);
    return space;
}

static const char *held(int fd) {
    return is_armed && fd >= 0 && fd < FDS && paths[fd][0] ? paths[fd] : NULL;
}

static int keep(int fd, const char *path) {
    if (fd >= 0 && fd < FDS)
        snprintf(paths[fd], NAME, "%s", path ? path : "");
    return fd;
}

#define REAL(type, name, ...)                                                                      \
    static type (*real)(__VA_ARGS__);                                                              \
    if (!real)                                                                                     \
        *(void **)&real = dlsym(RTLD_NEXT, #name)

/* A call on a descriptor, and one on a name below one. */
#define ON_FD(type, name, fail, parameters, arguments)                                             \
    type name parameters {                                                                         \
        static type(*real) parameters;                                                             \
        if (!real)                                                                                 \
            *(void **)&real = dlsym(RTLD_NEXT, #name);                                             \
        const char *path = held(fd);                                                               \
        if (path && meet(#name, path))                                                             \
            return fail;                                                                           \
        return real arguments;                                                                     \
    }
#define ON_NAME(type, name, fail, at, parameters, arguments)                                       \
    type name parameters {                                                                         \
        static type(*real) parameters;                                                             \
        char space[NAME];                                                                          \
        if (!real)                                                                                 \
            *(void **)&real = dlsym(RTLD_NEXT, #name);                                             \
        const char *path = reach(at, file, space);                                                 \
        if (path && meet(#name, path))                                                             \
            return fail;                                                                           \
        return real arguments;                                                                     \
    }
/* A call that moves octets: it can also do half of its work. */
#define MOVES(name, buffer, parameters, whole, half)                                               \
    ssize_t name parameters {                                                                      \
        static ssize_t(*real) parameters;                                                          \
        if (!real)                                                                                 \
            *(void **)&real = dlsym(RTLD_NEXT, #name);                                             \
        const char *path = held(fd);                                                               \
        int fate = path ? meet(#name, path) : 0;                                                   \
        if (fate < 0)                                                                              \
            return -1;                                                                             \
        return fate > 0 && size > 1 ? real half : real whole;                                      \
    }

#define OPENS(name)                                                                                \
    int name(const char *file, int flags, ...) {                                                   \
        REAL(int, name, const char *, int, ...);                                                   \
        char space[NAME];                                                                          \
        va_list more;                                                                              \
        va_start(more, flags);                                                                     \
        mode_t mode = va_arg(more, mode_t);                                                        \
        va_end(more);                                                                              \
        const char *path = reach(-1, file, space);                                                 \
        if (path && meet(flags & O_CREAT ? "create" : "open", path))                                                            \
            return -1;                                                                             \
        return keep(real(file, flags, mode), path);                                                \
    }
#define OPENS_AT(name)                                                                             \
    int name(int directory, const char *file, int flags, ...) {                                    \
        REAL(int, name, int, const char *, int, ...);                                              \
        char space[NAME];                                                                          \
        va_list more;                                                                              \
        va_start(more, flags);                                                                     \
        mode_t mode = va_arg(more, mode_t);                                                        \
        va_end(more);                                                                              \
        const char *path = reach(directory, file, space);                                          \
        if (path && meet(flags & O_CREAT ? "create" : "openat", path))                                                          \
            return -1;                                                                             \
        return keep(real(directory, file, flags, mode), path);                                     \
    }
OPENS(open)
OPENS(open64)
OPENS_AT(openat)
OPENS_AT(openat64)

int close(int fd) {
    REAL(int, close, int);
    const char *path = held(fd);
    int fate = path ? meet("close", path) : 0, error = errno;
    if (fd >= 0 && fd < FDS)
        paths[fd][0] = 0;
    int result = real(fd); /* Linux closes it, whatever it says */
    if (fate) {
        errno = error;
        return -1;
    }
    return result;
}

MOVES(write, data, (int fd, const void *data, size_t size), (fd, data, size), (fd, data, size / 2))
MOVES(read, data, (int fd, void *data, size_t size), (fd, data, size), (fd, data, size / 2))
MOVES(pwrite, data, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at),
      (fd, data, size / 2, at))
MOVES(pwrite64, data, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at),
      (fd, data, size / 2, at))
MOVES(pread, data, (int fd, void *data, size_t size, off_t at), (fd, data, size, at),
      (fd, data, size / 2, at))
MOVES(pread64, data, (int fd, void *data, size_t size, off64_t at), (fd, data, size, at),
      (fd, data, size / 2, at))
MOVES(send, data, (int fd, const void *data, size_t size, int flags), (fd, data, size, flags),
      (fd, data, size / 2, flags))
MOVES(recv, data, (int fd, void *data, size_t size, int flags), (fd, data, size, flags),
      (fd, data, 1, flags))
/* Vectors: half of the work is the first of several buffers. */
MOVES(writev, data, (int fd, const struct iovec *data, int size), (fd, data, size), (fd, data, 1))
MOVES(readv, data, (int fd, const struct iovec *data, int size), (fd, data, size), (fd, data, 1))

ON_FD(int, fsync, -1, (int fd), (fd))
ON_FD(int, fdatasync, -1, (int fd), (fd))
ON_FD(int, syncfs, -1, (int fd), (fd))
ON_FD(int, ftruncate, -1, (int fd, off_t size), (fd, size))
ON_FD(int, ftruncate64, -1, (int fd, off64_t size), (fd, size))
ON_FD(int, flock, -1, (int fd, int how), (fd, how))
ON_FD(int, fchmod, -1, (int fd, mode_t mode), (fd, mode))
ON_FD(int, fstat, -1, (int fd, struct stat *s), (fd, s))
ON_FD(int, fstat64, -1, (int fd, struct stat64 *s), (fd, s))
ON_FD(int, fstatvfs, -1, (int fd, struct statvfs *s), (fd, s))
ON_FD(int, fstatvfs64, -1, (int fd, struct statvfs64 *s), (fd, s))
/* These two return the error instead of setting errno. */
ON_FD(int, posix_fallocate, errno, (int fd, off_t at, off_t size), (fd, at, size))
ON_FD(int, posix_fallocate64, errno, (int fd, off64_t at, off64_t size), (fd, at, size))
ON_FD(DIR *, fdopendir, NULL, (int fd), (fd))
ON_FD(ssize_t, sendmsg, -1, (int fd, const struct msghdr *m, int flags), (fd, m, flags))
ON_FD(ssize_t, recvmsg, -1, (int fd, struct msghdr *m, int flags), (fd, m, flags))

ON_NAME(int, unlink, -1, -1, (const char *file), (file))
ON_NAME(int, unlinkat, -1, at, (int at, const char *file, int flags), (at, file, flags))
ON_NAME(int, mkdir, -1, -1, (const char *file, mode_t mode), (file, mode))
ON_NAME(int, mkdirat, -1, at, (int at, const char *file, mode_t mode), (at, file, mode))
ON_NAME(int, chmod, -1, -1, (const char *file, mode_t mode), (file, mode))
ON_NAME(int, stat, -1, -1, (const char *file, struct stat *s), (file, s))
ON_NAME(int, stat64, -1, -1, (const char *file, struct stat64 *s), (file, s))
ON_NAME(int, lstat, -1, -1, (const char *file, struct stat *s), (file, s))
ON_NAME(int, lstat64, -1, -1, (const char *file, struct stat64 *s), (file, s))
ON_NAME(int, fstatat, -1, at, (int at, const char *file, struct stat *s, int f), (at, file, s, f))
ON_NAME(int, fstatat64, -1, at, (int at, const char *file, struct stat64 *s, int f),
        (at, file, s, f))
ON_NAME(int, statvfs, -1, -1, (const char *file, struct statvfs *s), (file, s))
ON_NAME(int, statvfs64, -1, -1, (const char *file, struct statvfs64 *s), (file, s))
ON_NAME(DIR *, opendir, NULL, -1, (const char *file), (file))
ON_NAME(int, rename, -1, -1, (const char *file, const char *target), (file, target))
ON_NAME(int, renameat, -1, at, (int at, const char *file, int to, const char *target),
        (at, file, to, target))
ON_NAME(int, link, -1, -1, (const char *file, const char *target), (file, target))
ON_NAME(int, linkat, -1, at, (int at, const char *file, int to, const char *target, int flags),
        (at, file, to, target, flags))

struct dirent64 *readdir64(DIR *directory) {
    REAL(struct dirent64 *, readdir64, DIR *);
    const char *path = held(dirfd(directory));
    return path && meet("readdir", path) ? NULL : real(directory);
}

int closedir(DIR *directory) {
    REAL(int, closedir, DIR *);
    keep(dirfd(directory), NULL);
    return real(directory);
}

/* Python makes a second descriptor of a directory before it lists it. */
int fcntl64(int fd, int command, ...) {
    REAL(int, fcntl64, int, int, ...);
    va_list more;
    va_start(more, command);
    void *argument = va_arg(more, void *);
    va_end(more);
    int result = real(fd, command, argument);
    return command == F_DUPFD || command == F_DUPFD_CLOEXEC ? keep(result, held(fd)) : result;
}

int connect(int fd, const struct sockaddr *address, socklen_t length) {
    REAL(int, connect, int, const struct sockaddr *, socklen_t);
    if (is_armed && sees_sockets && address->sa_family != AF_UNSPEC) {
        keep(fd, "<socket>");
        if (meet("connect", "<socket>"))
            return -1;
    }
    return real(fd, address, length);
}

int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags) {
    REAL(int, accept4, int, struct sockaddr *, socklen_t *, int);
    return keep(real(fd, address, length, flags), is_armed && sees_sockets ? "<socket>" : NULL);
}
