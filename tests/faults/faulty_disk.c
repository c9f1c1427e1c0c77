/* A disk that refuses one call: preloaded, it counts the calls that touch what lies below one folder,
   and fails the n-th of one kind. Told by the environment when the process begins, or by faults_arm().

   FAULTS_BELOW  the folder, without symbolic links
   FAULTS_KIND   open write sync rename mkdir unlink truncate lock list entry stat read
   FAULTS_AT     which call of the kind, from 1; 0 only counts
   FAULTS_HOW    an errno, or "short": half the bytes are written
   FAULTS_LASTS  1: every later call of the kind fails, too
   FAULTS_TALLY  a file: a counter of calls for each kind, one of faults, and the path (or
                 its folder) that the first one met; shared by all processes

   faults_watch() names a function that is told of each call: its kind, and which of the kind it is. */

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { OPEN, WRITE, SYNC, RENAME, MKDIR, UNLINK, TRUNCATE, LOCK, LIST, ENTRY, STAT, READ, KINDS };
static const char *const names[KINDS] = {"open",     "write", "sync", "rename", "mkdir", "unlink",
                                         "truncate", "lock",  "list", "entry",  "stat",  "read"};
#define SHORT (-1)
#define FAULTS KINDS

static char below[PATH_MAX];
static size_t below_length;
static int failing = -1, how, lasts;
static long at;
static _Atomic int64_t *tally;
static char *met; /* the path of the first fault */
static _Thread_local char asked[PATH_MAX];
static void (*watcher)(int kind, long number);

void faults_watch(void (*told)(int kind, long number)) { watcher = told; }

__attribute__((constructor)) void faults_arm(void) {
  const char *root = getenv("FAULTS_BELOW"), *kind = getenv("FAULTS_KIND");
  const char *where = getenv("FAULTS_TALLY"), *how_text = getenv("FAULTS_HOW");
  below_length = 0;
  if (!root || !where || !kind || !how_text || strlen(root) >= sizeof below) return;
  int file = (int)syscall(SYS_openat, AT_FDCWD, where, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0 || syscall(SYS_ftruncate, file, (KINDS + 1) * sizeof *tally + PATH_MAX)) return;
  tally = mmap(NULL, (KINDS + 1) * sizeof *tally + PATH_MAX, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  syscall(SYS_close, file);
  if (tally == MAP_FAILED) return;
  met = (char *)(tally + KINDS + 1);
  failing = -1;
  for (int each = 0; each < KINDS; each++)
    if (!strcmp(kind, names[each])) failing = each;
  at = atol(getenv("FAULTS_AT") ? getenv("FAULTS_AT") : "0");
  lasts = getenv("FAULTS_LASTS") && *getenv("FAULTS_LASTS") == '1';
  how = strcmp(how_text, "short") ? atoi(how_text) : SHORT;
  strcpy(below, root);
  below_length = strlen(root);
}

static int is_below(const char *path) {
  if (!below_length || strncmp(path, below, below_length)) return 0;
  if (path[below_length] != '/' && path[below_length]) return 0;
  snprintf(asked, sizeof asked, "%s", path);
  return 1;
}

static int link_is_below(const char *link) {
  char path[PATH_MAX];
  int before = errno; /* of readdir, errno alone says whether it failed */
  ssize_t length = readlink(link, path, sizeof path - 1);
  errno = before;
  if (length < 0) return 0;
  path[length] = 0;
  return is_below(path);
}

static int handle_is_below(int handle) {
  char link[64];
  if (!below_length) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", handle);
  return link_is_below(link);
}

static int path_is_below(int folder, const char *path) {
  if (!below_length || !path) return 0;
  if (*path == '/') return is_below(path);
  return folder == AT_FDCWD ? link_is_below("/proc/self/cwd") : handle_is_below(folder);
}

/* What is to go wrong with this call: 0 nothing, an errno, or SHORT. */
static int fault(enum kind kind) {
  int64_t number = atomic_fetch_add(&tally[kind], 1) + 1;
  if (watcher) {
    int before = errno;
    watcher(kind, number);
    errno = before;
  }
  if ((int)kind != failing || !at || number < at || (number > at && !lasts)) return 0;
  if (!atomic_fetch_add(&tally[FAULTS], 1)) strcpy(met, asked);
  return how;
}

#define REAL(result, name, ...)                            \
  static result (*real)(__VA_ARGS__);                      \
  if (!real) real = (result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)
#define REFUSE_AS(is_below, kind, failure)  \
  do {                                      \
    int wrong = (is_below) ? fault(kind) : 0; \
    if (wrong > 0) {                        \
      errno = wrong;                        \
      return failure;                       \
    }                                       \
  } while (0)
#define REFUSE(is_below, kind) REFUSE_AS(is_below, kind, -1)

#define OPENING(name)                                        \
  int name(const char *path, int flags, ...) {               \
    REAL(int, #name, const char *, int, ...);                \
    va_list rest;                                            \
    va_start(rest, flags);                                   \
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
    va_end(rest);                                            \
    REFUSE(path_is_below(AT_FDCWD, path), OPEN);             \
    return real(path, flags, mode);                          \
  }
OPENING(open)
OPENING(open64)

#define OPENING_AT(name)                                     \
  int name(int folder, const char *path, int flags, ...) {   \
    REAL(int, #name, int, const char *, int, ...);           \
    va_list rest;                                            \
    va_start(rest, flags);                                   \
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
    va_end(rest);                                            \
    REFUSE(path_is_below(folder, path), OPEN);               \
    return real(folder, path, flags, mode);                  \
  }
OPENING_AT(openat)
OPENING_AT(openat64)

ssize_t write(int handle, const void *data, size_t size) {
  REAL(ssize_t, "write", int, const void *, size_t);
  int wrong = handle_is_below(handle) ? fault(WRITE) : 0;
  if (wrong > 0) {
    errno = wrong;
    return -1;
  }
  return real(handle, data, wrong == SHORT && size > 1 ? size / 2 : size);
}

#define WRITING_AT(name, place)                                              \
  ssize_t name(int handle, const void *data, size_t size, place offset) {    \
    REAL(ssize_t, #name, int, const void *, size_t, place);                  \
    int wrong = handle_is_below(handle) ? fault(WRITE) : 0;                  \
    if (wrong > 0) {                                                         \
      errno = wrong;                                                         \
      return -1;                                                             \
    }                                                                        \
    return real(handle, data, wrong == SHORT && size > 1 ? size / 2 : size, offset); \
  }
WRITING_AT(pwrite, off_t)
WRITING_AT(pwrite64, off64_t)

ssize_t writev(int handle, const struct iovec *parts, int count) {
  REAL(ssize_t, "writev", int, const struct iovec *, int);
  int wrong = handle_is_below(handle) ? fault(WRITE) : 0;
  if (wrong > 0) {
    errno = wrong;
    return -1;
  }
  return real(handle, parts, wrong == SHORT && count > 1 ? count / 2 : count);
}

int fsync(int handle) {
  REAL(int, "fsync", int);
  REFUSE(handle_is_below(handle), SYNC);
  return real(handle);
}

int fdatasync(int handle) {
  REAL(int, "fdatasync", int);
  REFUSE(handle_is_below(handle), SYNC);
  return real(handle);
}

int rename(const char *old, const char *new) {
  REAL(int, "rename", const char *, const char *);
  REFUSE(path_is_below(AT_FDCWD, new), RENAME);
  return real(old, new);
}

int renameat(int from, const char *old, int to, const char *new) {
  REAL(int, "renameat", int, const char *, int, const char *);
  REFUSE(path_is_below(to, new), RENAME);
  return real(from, old, to, new);
}

int mkdir(const char *path, mode_t mode) {
  REAL(int, "mkdir", const char *, mode_t);
  REFUSE(path_is_below(AT_FDCWD, path), MKDIR);
  return real(path, mode);
}

int mkdirat(int folder, const char *path, mode_t mode) {
  REAL(int, "mkdirat", int, const char *, mode_t);
  REFUSE(path_is_below(folder, path), MKDIR);
  return real(folder, path, mode);
}

int unlink(const char *path) {
  REAL(int, "unlink", const char *);
  REFUSE(path_is_below(AT_FDCWD, path), UNLINK);
  return real(path);
}

int unlinkat(int folder, const char *path, int flags) {
  REAL(int, "unlinkat", int, const char *, int);
  REFUSE(path_is_below(folder, path), UNLINK);
  return real(folder, path, flags);
}

int rmdir(const char *path) {
  REAL(int, "rmdir", const char *);
  REFUSE(path_is_below(AT_FDCWD, path), UNLINK);
  return real(path);
}

int ftruncate(int handle, off_t size) {
  REAL(int, "ftruncate", int, off_t);
  REFUSE(handle_is_below(handle), TRUNCATE);
  return real(handle, size);
}

int ftruncate64(int handle, off64_t size) {
  REAL(int, "ftruncate64", int, off64_t);
  REFUSE(handle_is_below(handle), TRUNCATE);
  return real(handle, size);
}

int flock(int handle, int operation) {
  REAL(int, "flock", int, int);
  REFUSE(handle_is_below(handle), LOCK);
  return real(handle, operation);
}

DIR *opendir(const char *path) {
  REAL(DIR *, "opendir", const char *);
  REFUSE_AS(path_is_below(AT_FDCWD, path), LIST, NULL);
  return real(path);
}

DIR *fdopendir(int handle) {
  REAL(DIR *, "fdopendir", int);
  REFUSE_AS(handle_is_below(handle), LIST, NULL);
  return real(handle);
}

#define LISTING(name, entry)                             \
  entry *name(DIR *folder) {                             \
    REAL(entry *, #name, DIR *);                         \
    REFUSE_AS(handle_is_below(dirfd(folder)), ENTRY, NULL); \
    return real(folder);                                 \
  }
LISTING(readdir, struct dirent)
LISTING(readdir64, struct dirent64)

#define LOOKING(name, answer)                            \
  int name(const char *path, answer *found) {            \
    REAL(int, #name, const char *, answer *);            \
    REFUSE(path_is_below(AT_FDCWD, path), STAT);         \
    return real(path, found);                            \
  }
LOOKING(stat, struct stat)
LOOKING(stat64, struct stat64)
LOOKING(lstat, struct stat)
LOOKING(lstat64, struct stat64)
LOOKING(statvfs, struct statvfs)
LOOKING(statvfs64, struct statvfs64)

#define LOOKING_AT(name, answer)                                       \
  int name(int folder, const char *path, answer *found, int flags) {   \
    REAL(int, #name, int, const char *, answer *, int);                \
    REFUSE(path_is_below(folder, path), STAT);                         \
    return real(folder, path, found, flags);                           \
  }
LOOKING_AT(fstatat, struct stat)
LOOKING_AT(fstatat64, struct stat64)

#define LOOKING_OPEN(name, answer)                       \
  int name(int handle, answer *found) {                  \
    REAL(int, #name, int, answer *);                     \
    REFUSE(handle_is_below(handle), STAT);               \
    return real(handle, found);                          \
  }
LOOKING_OPEN(fstat, struct stat)
LOOKING_OPEN(fstat64, struct stat64)

int access(const char *path, int mode) {
  REAL(int, "access", const char *, int);
  REFUSE(path_is_below(AT_FDCWD, path), STAT);
  return real(path, mode);
}

int faccessat(int folder, const char *path, int mode, int flags) {
  REAL(int, "faccessat", int, const char *, int, int);
  REFUSE(path_is_below(folder, path), STAT);
  return real(folder, path, mode, flags);
}

ssize_t read(int handle, void *data, size_t size) {
  REAL(ssize_t, "read", int, void *, size_t);
  REFUSE(handle_is_below(handle), READ);
  return real(handle, data, size);
}

#define READING_AT(name, place)                                    \
  ssize_t name(int handle, void *data, size_t size, place offset) { \
    REAL(ssize_t, #name, int, void *, size_t, place);              \
    REFUSE(handle_is_below(handle), READ);                         \
    return real(handle, data, size, offset);                       \
  }
READING_AT(pread, off_t)
READING_AT(pread64, off64_t)
