/*
 * The engine that is not the bottleneck: answers what the benchmarks ask as dockerd would, and nothing else.
 *
 *   engine SOCKET    listens on the unix socket SOCKET until it is killed
 *
 * GET  /_ping                     "OK", dockerd's header fields
 * GET  /version                   what a client needs to negotiate
 * GET  /containers/NAME/json      an inspect of 6 kB, chunked
 * GET  /containers/json           a list of 40 kB, chunked
 * POST /images/load               reads the body to its end and answers how many bytes it had
 * GET  /containers/bytesN/export  N bytes, chunked in pieces of 64 kB
 * POST /containers/echo/attach    101, then every byte comes back
 * POST /containers/floodN/attach  101, then N bytes and the end
 *
 * Small calls are answered from one epoll loop; uploads, downloads and hijacked connections get a thread each.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define HEAD_BYTES 65536
#define PIECE_BYTES 65536
#define READ_BYTES (1 << 20)
/* The length of a chunked body. */
#define UNKNOWN (~0ULL)

#define COMMON \
  "Api-Version: 1.51\r\nDocker-Experimental: false\r\nOstype: linux\r\nServer: Docker/28.5.2 (linux)\r\n" \
  "Date: Sun, 22 Nov 2026 07:09:03 GMT\r\n"

typedef struct {
  int fd;
  size_t used;
  char buffer[HEAD_BYTES];
} connection;

typedef struct {
  char *bytes;
  size_t length;
} answer;

static answer ping, version, inspect, list, missing;

static void die(const char *what) {
  perror(what);
  exit(1);
}

/* All of it, also where the socket is full or does not block. 0 when the other side is gone. */
static int write_all(int fd, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t written = send(fd, bytes, length, MSG_NOSIGNAL);
    if (written < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return 0;
      struct pollfd full = {fd, POLLOUT, 0};
      poll(&full, 1, -1);
      continue;
    }
    bytes += written;
    length -= (size_t)written;
  }
  return 1;
}

static answer make_answer(const char *status, const char *type, const char *body, size_t length, int chunked) {
  answer made;
  made.bytes = malloc(length + 1024);
  char framing[64], before[32] = "";
  const char *after = "";
  if (chunked) {
    strcpy(framing, "Transfer-Encoding: chunked");
    sprintf(before, "%zx\r\n", length);
    after = "\r\n0\r\n\r\n";
  } else {
    sprintf(framing, "Content-Length: %zu", length);
  }
  int head = sprintf(made.bytes, "HTTP/1.1 %s\r\n%sContent-Type: %s\r\n%s\r\n\r\n%s", status, COMMON, type, framing, before);
  memcpy(made.bytes + head, body, length);
  strcpy(made.bytes + head + length, after);
  made.length = (size_t)head + length + strlen(after);
  return made;
}

/* JSON of about `bytes` bytes that looks like a list of `docker ps`. */
static answer make_list(size_t bytes, int as_list) {
  char *text = malloc(bytes + 4096);
  size_t at = 0;
  if (as_list) text[at++] = '[';
  for (int i = 0; at < bytes || i == 0; i++) {
    if (i > 0) text[at++] = ',';
    if (!as_list && i == 0) text[at++] = '{';
    if (!as_list) at += (size_t)sprintf(text + at, "\"Part%d\":", i);
    at += (size_t)sprintf(text + at,
                          "{\"Id\":\"%064x\",\"Names\":[\"/job-%d\"],\"Image\":\"busybox\",\"Command\":\"sleep 1000\","
                          "\"Created\":1795331260,\"Ports\":[],\"Labels\":{\"com.example.job\":\"%d\"},\"State\":\"running\","
                          "\"Status\":\"Up 2 minutes\",\"HostConfig\":{\"NetworkMode\":\"bridge\"},\"Mounts\":[]}",
                          i, i, i);
  }
  text[at++] = as_list ? ']' : '}';
  text[at++] = '\n';
  answer made = make_answer("200 OK", "application/json", text, at, 1);
  free(text);
  return made;
}

static void make_answers(void) {
  const char *told =
      "{\"Version\":\"28.5.2\",\"ApiVersion\":\"1.51\",\"MinAPIVersion\":\"1.24\",\"Os\":\"linux\",\"Arch\":\"amd64\"}\n";
  ping = make_answer("200 OK", "text/plain; charset=utf-8", "OK", 2, 0);
  version = make_answer("200 OK", "application/json", told, strlen(told), 0);
  inspect = make_list(6000, 0);
  list = make_list(40000, 1);
  const char *no = "{\"message\":\"page not found\"}\n";
  missing = make_answer("404 Not Found", "application/json", no, strlen(no), 0);
}

typedef struct {
  int fd;
  char kind; /* u, d, e, f */
  unsigned long long bytes;
  size_t used;
  char rest[HEAD_BYTES];
} stream;

static ssize_t read_some(int fd, char *into, size_t room) {
  ssize_t got;
  do got = recv(fd, into, room, 0);
  while (got < 0 && errno == EINTR);
  return got;
}

static int tell_upload(stream *job, unsigned long long total) {
  char body[96], head[512];
  int length = sprintf(body, "{\"stream\":\"%llu bytes\"}\n", total);
  int size = sprintf(head, "HTTP/1.1 200 OK\r\n%sContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
                     COMMON, length, body);
  return write_all(job->fd, head, (size_t)size);
}

/* Reads a body of `job->bytes`, or a chunked one, and answers how many bytes it had. Gives 0 when the client broke off. */
static int sink_upload(stream *job, char *buffer) {
  int chunked = job->bytes == UNKNOWN;
  unsigned long long total = 0, left = chunked ? 0 : job->bytes;
  enum { SIZE, DATA, DATA_END, LAST } state = chunked ? SIZE : DATA;
  size_t used = job->used;
  memcpy(buffer, job->rest, used);
  for (;;) {
    size_t at = 0;
    for (;;) {
      if (state == DATA) {
        size_t taken = used - at < left ? used - at : (size_t)left;
        at += taken;
        left -= taken;
        total += taken;
        if (left > 0) break;
        if (!chunked) return tell_upload(job, total);
        state = DATA_END;
      }
      char *end = at < used ? memmem(buffer + at, used - at, "\r\n", 2) : NULL;
      if (end == NULL) break;
      if (state == SIZE) {
        left = strtoull(buffer + at, NULL, 16);
        state = left == 0 ? LAST : DATA;
      } else if (state == LAST) {
        return tell_upload(job, total);
      } else {
        state = SIZE;
      }
      at = (size_t)(end - buffer) + 2;
    }
    memmove(buffer, buffer + at, used - at);
    used -= at;
    ssize_t got = read_some(job->fd, buffer + used, READ_BYTES - used);
    if (got <= 0) return 0;
    used += (size_t)got;
  }
}

static int send_download(stream *job, char *buffer) {
  const char *head = "HTTP/1.1 200 OK\r\n" COMMON "Content-Type: application/x-tar\r\nTransfer-Encoding: chunked\r\n\r\n";
  if (!write_all(job->fd, head, strlen(head))) return 0;
  size_t front = (size_t)sprintf(buffer, "%x\r\n", PIECE_BYTES);
  memcpy(buffer + front + PIECE_BYTES, "\r\n", 2);
  unsigned long long left = job->bytes;
  for (; left >= PIECE_BYTES; left -= PIECE_BYTES)
    if (!write_all(job->fd, buffer, front + PIECE_BYTES + 2)) return 0;
  return write_all(job->fd, "0\r\n\r\n", 5);
}

static const char upgraded[] =
    "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
    "Api-Version: 1.51\r\nServer: Docker/28.5.2 (linux)\r\n\r\n";

static void echo(stream *job, char *buffer) {
  if (!write_all(job->fd, upgraded, sizeof upgraded - 1) || !write_all(job->fd, job->rest, job->used)) return;
  for (;;) {
    ssize_t got = read_some(job->fd, buffer, READ_BYTES);
    if (got <= 0 || !write_all(job->fd, buffer, (size_t)got)) return;
  }
}

static void flood(stream *job, char *buffer) {
  if (!write_all(job->fd, upgraded, sizeof upgraded - 1)) return;
  unsigned long long left = job->bytes;
  for (; left >= PIECE_BYTES; left -= PIECE_BYTES)
    if (!write_all(job->fd, buffer, PIECE_BYTES)) return;
}

static int epoll_fd;

static void watch(int fd) {
  connection *one = malloc(sizeof *one);
  one->fd = fd;
  one->used = 0;
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = one};
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll_ctl");
}

static void *run_stream(void *given) {
  stream *job = given;
  char *buffer = calloc(1, READ_BYTES + 64);
  int keep = 0;
  if (job->kind == 'u') keep = sink_upload(job, buffer);
  else if (job->kind == 'd') keep = send_download(job, buffer);
  else if (job->kind == 'e') echo(job, buffer);
  else flood(job, buffer);
  if (keep) watch(job->fd);
  else close(job->fd);
  free(buffer);
  free(job);
  return NULL;
}

static void start_stream(connection *from, char kind, unsigned long long bytes, size_t head) {
  stream *job = malloc(sizeof *job);
  job->fd = from->fd;
  job->kind = kind;
  job->bytes = bytes;
  job->used = from->used - head;
  memcpy(job->rest, from->buffer + head, job->used);
  epoll_ctl(epoll_fd, EPOLL_CTL_DEL, from->fd, NULL);
  free(from);
  pthread_t thread;
  if (pthread_create(&thread, NULL, run_stream, job) != 0) die("pthread_create");
  pthread_detach(thread);
}

/* Takes one call off the buffer. 0: the connection is not this loop's any more. */
static int serve(connection *from, size_t head) {
  char *text = from->buffer;
  text[head - 2] = 0;
  char *said = strcasestr(text, "\r\ncontent-length:");
  unsigned long long length = said == NULL ? UNKNOWN : strtoull(said + 17, NULL, 10);
  char *path = strchr(text, ' ');
  if (path == NULL) return 0;
  path++;
  char *end = strpbrk(path, " ?");
  if (end != NULL) *end = 0;
  if (strncmp(path, "/v1.", 4) == 0) {
    char *behind = strchr(path + 4, '/');
    if (behind != NULL) path = behind;
  }
  int post = text[0] == 'P';
  const answer *is = &missing;
  if (strcmp(path, "/_ping") == 0) is = &ping;
  else if (strcmp(path, "/version") == 0) is = &version;
  else if (strcmp(path, "/containers/json") == 0) is = &list;
  else if (post && strcmp(path, "/images/load") == 0) return start_stream(from, 'u', length, head), -1;
  else if (strncmp(path, "/containers/", 12) == 0) {
    char *name = path + 12, *verb = strchr(name, '/');
    if (verb != NULL && strcmp(verb, "/json") == 0) is = &inspect;
    else if (verb != NULL && strcmp(verb, "/export") == 0 && strncmp(name, "bytes", 5) == 0)
      return start_stream(from, 'd', strtoull(name + 5, NULL, 10), head), -1;
    else if (post && verb != NULL && strcmp(verb, "/attach") == 0 && strncmp(name, "echo", 4) == 0)
      return start_stream(from, 'e', 0, head), -1;
    else if (post && verb != NULL && strcmp(verb, "/attach") == 0 && strncmp(name, "flood", 5) == 0)
      return start_stream(from, 'f', strtoull(name + 5, NULL, 10), head), -1;
  }
  if (!write_all(from->fd, is->bytes, is->length)) return 0;
  memmove(from->buffer, from->buffer + head, from->used - head);
  from->used -= head;
  return 1;
}

static void drop(connection *one) {
  close(one->fd);
  free(one);
}

static void take(connection *from) {
  ssize_t got = recv(from->fd, from->buffer + from->used, HEAD_BYTES - from->used, MSG_DONTWAIT);
  if (got <= 0) {
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    drop(from);
    return;
  }
  from->used += (size_t)got;
  for (;;) {
    char *end = memmem(from->buffer, from->used, "\r\n\r\n", 4);
    if (end == NULL) {
      if (from->used == HEAD_BYTES) drop(from);
      return;
    }
    int kept = serve(from, (size_t)(end - from->buffer) + 4);
    if (kept < 0) return;
    if (kept == 0) {
      drop(from);
      return;
    }
  }
}

int main(int count, char **words) {
  if (count != 2) {
    fprintf(stderr, "usage: engine SOCKET\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  make_answers();
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, words[1], sizeof address.sun_path - 1);
  unlink(words[1]);
  int server = socket(AF_UNIX, SOCK_STREAM, 0);
  if (bind(server, (struct sockaddr *)&address, sizeof address) < 0) die(words[1]);
  if (listen(server, 4096) < 0) die("listen");
  epoll_fd = epoll_create1(0);
  struct epoll_event accepting = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, server, &accepting);
  puts("ready");
  fflush(stdout);
  struct epoll_event events[256];
  for (;;) {
    int ready = epoll_wait(epoll_fd, events, 256, -1);
    for (int i = 0; i < ready; i++) {
      if (events[i].data.ptr != NULL) {
        take(events[i].data.ptr);
        continue;
      }
      int fd = accept4(server, NULL, NULL, SOCK_CLOEXEC);
      if (fd >= 0) watch(fd);
    }
  }
}
