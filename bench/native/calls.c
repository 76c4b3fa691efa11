/*
 * Small calls over kept-alive connections: each connection asks, reads the whole answer, asks again.
 *
 *   calls WHERE CONNECTIONS SECONDS PATH...
 *
 * WHERE is unix:PATH or tcp:ADDRESS:PORT. Connections take the paths in turn. Prints one line of JSON: calls, failures
 * (anything but a whole 200), bytes, seconds, and the latencies in microseconds.
 */
#include "connect.h"
#include <sys/epoll.h>

#define BUFFER_BYTES (4 << 20)
#define LATENCIES (1 << 20)

typedef struct {
  int fd;
  const char *request;
  size_t request_length;
  double asked;
  size_t used;
  char *buffer;
  size_t room;
} client;

static float latencies[LATENCIES];
static unsigned long long calls, failures, bytes;

/* The length of the answer at the front of the buffer, 0 while it is not whole. */
static size_t whole_answer(const char *buffer, size_t used) {
  const char *end = memmem(buffer, used, "\r\n\r\n", 4);
  if (end == NULL) return 0;
  size_t head = (size_t)(end - buffer) + 4;
  for (const char *line = buffer; line < end; line++) {
    line = memchr(line, '\n', (size_t)(end - line));
    if (line == NULL) break;
    if (strncasecmp(line + 1, "content-length:", 15) == 0) {
      size_t length = head + strtoull(line + 16, NULL, 10);
      return used >= length ? length : 0;
    }
    if (strncasecmp(line + 1, "transfer-encoding: chunked", 26) != 0) continue;
    size_t at = head;
    for (;;) {
      const char *stop = at < used ? memmem(buffer + at, used - at, "\r\n", 2) : NULL;
      if (stop == NULL) return 0;
      size_t size = strtoull(buffer + at, NULL, 16);
      at = (size_t)(stop - buffer) + 2 + size + 2;
      if (at > used) return 0;
      if (size == 0) return at;
    }
  }
  return head;
}

static void ask(client *of) {
  of->asked = now();
  of->used = 0;
  if (send(of->fd, of->request, of->request_length, MSG_NOSIGNAL) != (ssize_t)of->request_length) failures++;
}

static int by_size(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return x < y ? -1 : x > y;
}

int main(int count, char **words) {
  if (count < 5) {
    fprintf(stderr, "usage: calls WHERE CONNECTIONS SECONDS PATH...\n");
    return 2;
  }
  int connections = atoi(words[2]);
  double seconds = atof(words[3]);
  int paths = count - 4;
  int watched = epoll_create1(0);
  client *clients = calloc((size_t)connections, sizeof *clients);
  for (int i = 0; i < connections; i++) {
    client *one = &clients[i];
    char *text = malloc(1024);
    one->request_length = (size_t)snprintf(
        text, 1024, "GET %s HTTP/1.1\r\nHost: docker\r\nUser-Agent: Docker-Client/28.5.2 (linux)\r\n\r\n", words[4 + i % paths]);
    one->request = text;
    one->fd = connect_to(words[1]);
    one->room = 65536;
    one->buffer = malloc(one->room);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = one};
    epoll_ctl(watched, EPOLL_CTL_ADD, one->fd, &event);
  }
  double began = now(), until = began + seconds;
  for (int i = 0; i < connections; i++) ask(&clients[i]);
  int open = connections;
  struct epoll_event events[256];
  while (open > 0) {
    int ready = epoll_wait(watched, events, 256, 5000);
    double time = now();
    if (ready == 0) {
      failures += (unsigned long long)open;
      break;
    }
    for (int i = 0; i < ready; i++) {
      client *one = events[i].data.ptr;
      if (one->used == one->room && one->room < BUFFER_BYTES) one->buffer = realloc(one->buffer, one->room *= 2);
      ssize_t got = recv(one->fd, one->buffer + one->used, one->room - one->used, MSG_DONTWAIT);
      if (got <= 0) {
        if (got < 0 && errno == EAGAIN) continue;
        failures++;
        close(one->fd);
        open--;
        continue;
      }
      one->used += (size_t)got;
      size_t length = whole_answer(one->buffer, one->used);
      if (length == 0) continue;
      if (length != one->used || strncmp(one->buffer, "HTTP/1.1 200", 12) != 0) failures++;
      latencies[calls++ % LATENCIES] = (float)((time - one->asked) * 1e6);
      bytes += length;
      if (time < until) ask(one);
      else {
        close(one->fd);
        open--;
      }
    }
  }
  double took = now() - began;
  size_t kept = calls < LATENCIES ? (size_t)calls : LATENCIES;
  qsort(latencies, kept, sizeof *latencies, by_size);
  printf("{\"calls\":%llu,\"failures\":%llu,\"bytes\":%llu,\"seconds\":%.6f,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f}\n", calls,
         failures, bytes, took, kept ? latencies[kept / 2] : 0, kept ? latencies[kept * 9 / 10] : 0,
         kept ? latencies[kept * 99 / 100] : 0);
  return 0;
}
