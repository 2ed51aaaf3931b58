/* Logs what a process does to the files below a folder, in the order in which it was done, for tests/power.

   LD_PRELOAD=recorder.so, POWER_ROOT=/folder, POWER_LOG=/elsewhere/log. A record is a line "OP INODE OFFSET LEN LEN\n",
   then so many bytes of a first and of a second text. The order is right: a lock is held around each call and its
   record. What is written to standard output is logged too: there a command says that it has done its work.

   op  inode     offset     first text              second text
   C   new file             its path                                  made by open(O_CREAT)
   W   file      of write   its path                what was written
   T   file      new size   its path
   S   file                 its path                                  fsync or fdatasync; of a folder too
   M   folder               its path                                  mkdir
   L                        old path                new path          link
   R                        old path                new path          rename
   U                        its path                                  unlink
   X                        its path                                  rmdir
   A                                                what was said     write to standard output
   ! (what is not understood) its path              the call                                                        */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t guard = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static const char *root;
static int log_file = -1;

__attribute__((constructor)) static void begin(void)
{
    const char *name = getenv("POWER_LOG");
    root = getenv("POWER_ROOT");
    if (!name || !root)
        return;
    int file = syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    log_file = syscall(SYS_fcntl, file, F_DUPFD_CLOEXEC, 900); /* out of the way of descriptors that are closed */
    syscall(SYS_close, file);
}

/* Children of fork() write to the same log; each of them has the lock for itself, and O_APPEND keeps records whole. */
static void put(char op, unsigned long inode, long offset, const char *one, size_t one_bytes, const char *two,
                size_t two_bytes)
{
    char head[100];
    int n = snprintf(head, sizeof head, "%c %lu %ld %zu %zu\n", op, inode, offset, one_bytes, two_bytes);
    struct iovec parts[3] = {{head, n}, {(void *)one, one_bytes}, {(void *)two, two_bytes}};
    if (syscall(SYS_writev, log_file, parts, 3) != (long)(n + one_bytes + two_bytes))
        abort();
}

static int below(const char *path)
{
    size_t n = root ? strlen(root) : 0;
    return log_file >= 0 && n && !strncmp(path, root, n) && (path[n] == '/' || !path[n]);
}

/* The path of a descriptor; "" for what is not below the folder. */
static int path_of(int file, char *path)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t n = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    path[n < 0 ? 0 : n] = 0;
    return n > 0 && below(path);
}

/* The whole path of a name that may be relative, to the working directory or to an open folder. */
static int absolute(int at, const char *name, char *path)
{
    if (name[0] == '/') {
        snprintf(path, PATH_MAX, "%s", name);
        return below(path);
    }
    char folder[PATH_MAX];
    if (at == AT_FDCWD) {
        if (syscall(SYS_getcwd, folder, sizeof folder) < 0)
            return 0;
    } else if (!path_of(at, folder)) {
        return 0;
    }
    if (snprintf(path, PATH_MAX, "%s/%s", folder, name) >= PATH_MAX)
        return 0;
    return below(path);
}

static unsigned long inode_of(int file)
{
    struct stat found;
    return fstat(file, &found) ? 0 : found.st_ino;
}

#define REAL(type, name) \
    static type real; \
    if (!real) \
        real = (type)dlsym(RTLD_NEXT, name)
#define ENTER pthread_mutex_lock(&guard)
#define LEAVE pthread_mutex_unlock(&guard)

static void wrote(int file, long offset, const void *content, ssize_t n)
{
    char path[PATH_MAX];
    if (n <= 0 || log_file < 0)
        return;
    int kept = errno;
    if (file == 1)
        put('A', 0, 0, "", 0, content, n);
    else if (path_of(file, path))
        put('W', inode_of(file), offset >= 0 ? offset : lseek(file, 0, SEEK_CUR) - n, path, strlen(path), content, n);
    errno = kept;
}

typedef ssize_t (*write_t)(int, const void *, size_t);
ssize_t write(int file, const void *content, size_t n)
{
    REAL(write_t, "write");
    ENTER;
    ssize_t done = real(file, content, n);
    wrote(file, -1, content, done);
    LEAVE;
    return done;
}

typedef ssize_t (*pwrite_t)(int, const void *, size_t, off_t);
static ssize_t write_at(pwrite_t real, int file, const void *content, size_t n, off_t offset)
{
    ENTER;
    ssize_t done = real(file, content, n, offset);
    wrote(file, offset, content, done);
    LEAVE;
    return done;
}
ssize_t pwrite(int file, const void *content, size_t n, off_t offset)
{
    REAL(pwrite_t, "pwrite");
    return write_at(real, file, content, n, offset);
}
ssize_t pwrite64(int file, const void *content, size_t n, off_t offset)
{
    REAL(pwrite_t, "pwrite64");
    return write_at(real, file, content, n, offset);
}

static void odd(int file, const char *call)
{
    char path[PATH_MAX];
    if (path_of(file, path))
        put('!', 0, 0, path, strlen(path), call, strlen(call));
}
typedef ssize_t (*writev_t)(int, const struct iovec *, int);
ssize_t writev(int file, const struct iovec *parts, int n)
{
    REAL(writev_t, "writev");
    odd(file, "writev");
    return real(file, parts, n);
}
typedef int (*fallocate_t)(int, int, off_t, off_t);
int fallocate(int file, int mode, off_t offset, off_t n)
{
    REAL(fallocate_t, "fallocate");
    odd(file, "fallocate");
    return real(file, mode, offset, n);
}

typedef int (*ftruncate_t)(int, off_t);
static int cut(ftruncate_t real, int file, off_t size)
{
    char path[PATH_MAX];
    ENTER;
    int done = real(file, size);
    if (!done && path_of(file, path))
        put('T', inode_of(file), size, path, strlen(path), "", 0);
    LEAVE;
    return done;
}
int ftruncate(int file, off_t size)
{
    REAL(ftruncate_t, "ftruncate");
    return cut(real, file, size);
}
int ftruncate64(int file, off_t size)
{
    REAL(ftruncate_t, "ftruncate64");
    return cut(real, file, size);
}
typedef int (*truncate_t)(const char *, off_t);
int truncate(const char *name, off_t size)
{
    char path[PATH_MAX];
    struct stat found;
    REAL(truncate_t, "truncate");
    ENTER;
    int done = real(name, size);
    if (!done && absolute(AT_FDCWD, name, path) && !stat(path, &found))
        put('T', found.st_ino, size, path, strlen(path), "", 0);
    LEAVE;
    return done;
}

typedef int (*sync_t)(int);
static int synced(sync_t real, int file)
{
    char path[PATH_MAX];
    ENTER;
    int done = real(file);
    if (!done && path_of(file, path))
        put('S', inode_of(file), 0, path, strlen(path), "", 0);
    LEAVE;
    return done;
}
int fsync(int file)
{
    REAL(sync_t, "fsync");
    return synced(real, file);
}
int fdatasync(int file)
{
    REAL(sync_t, "fdatasync");
    return synced(real, file);
}

typedef int (*openat_t)(int, const char *, int, ...);
static int opened(int at, const char *name, int flags, mode_t mode)
{
    char path[PATH_MAX];
    struct stat found;
    REAL(openat_t, "openat64");
    if (!(flags & (O_CREAT | O_TRUNC)) || !absolute(at, name, path))
        return real(at, name, flags, mode);
    ENTER;
    int missing = lstat(path, &found) != 0;
    int file = real(at, name, flags, mode);
    if (file >= 0 && missing)
        put('C', inode_of(file), 0, path, strlen(path), "", 0);
    else if (file >= 0 && (flags & O_TRUNC))
        put('T', inode_of(file), 0, path, strlen(path), "", 0);
    LEAVE;
    return file;
}
#define OPEN_MODE \
    mode_t mode = 0; \
    if (flags & O_CREAT) { \
        va_list rest; \
        va_start(rest, flags); \
        mode = va_arg(rest, mode_t); \
        va_end(rest); \
    }
int open(const char *name, int flags, ...)
{
    OPEN_MODE
    return opened(AT_FDCWD, name, flags, mode);
}
int open64(const char *name, int flags, ...)
{
    OPEN_MODE
    return opened(AT_FDCWD, name, flags, mode);
}
int openat(int at, const char *name, int flags, ...)
{
    OPEN_MODE
    return opened(at, name, flags, mode);
}
int openat64(int at, const char *name, int flags, ...)
{
    OPEN_MODE
    return opened(at, name, flags, mode);
}

typedef int (*renameat_t)(int, const char *, int, const char *);
int renameat(int at, const char *old, int to, const char *new)
{
    char from[PATH_MAX], onto[PATH_MAX];
    REAL(renameat_t, "renameat");
    ENTER;
    int done = real(at, old, to, new);
    int seen = absolute(at, old, from);
    if (!done && (absolute(to, new, onto) || seen))
        put('R', 0, 0, from, strlen(from), onto, strlen(onto));
    LEAVE;
    return done;
}
int rename(const char *old, const char *new)
{
    return renameat(AT_FDCWD, old, AT_FDCWD, new);
}

typedef int (*linkat_t)(int, const char *, int, const char *, int);
int linkat(int at, const char *old, int to, const char *new, int flags)
{
    char from[PATH_MAX], onto[PATH_MAX];
    REAL(linkat_t, "linkat");
    ENTER;
    int done = real(at, old, to, new, flags);
    int seen = absolute(at, old, from);
    if (!done && absolute(to, new, onto) && seen)
        put('L', 0, 0, from, strlen(from), onto, strlen(onto));
    LEAVE;
    return done;
}
int link(const char *old, const char *new)
{
    return linkat(AT_FDCWD, old, AT_FDCWD, new, 0);
}

typedef int (*unlinkat_t)(int, const char *, int);
int unlinkat(int at, const char *name, int flags)
{
    char path[PATH_MAX];
    REAL(unlinkat_t, "unlinkat");
    ENTER;
    int done = real(at, name, flags);
    if (!done && absolute(at, name, path))
        put(flags & AT_REMOVEDIR ? 'X' : 'U', 0, 0, path, strlen(path), "", 0);
    LEAVE;
    return done;
}
int unlink(const char *name)
{
    return unlinkat(AT_FDCWD, name, 0);
}
int remove(const char *name)
{
    return unlinkat(AT_FDCWD, name, 0);
}
int rmdir(const char *name)
{
    return unlinkat(AT_FDCWD, name, AT_REMOVEDIR);
}

typedef int (*mkdirat_t)(int, const char *, mode_t);
int mkdirat(int at, const char *name, mode_t mode)
{
    char path[PATH_MAX];
    struct stat found;
    REAL(mkdirat_t, "mkdirat");
    ENTER;
    int done = real(at, name, mode);
    if (!done && absolute(at, name, path) && !stat(path, &found))
        put('M', found.st_ino, 0, path, strlen(path), "", 0);
    LEAVE;
    return done;
}
int mkdir(const char *name, mode_t mode)
{
    return mkdirat(AT_FDCWD, name, mode);
}
