/*
 * Large bodies and hijacked connections, one at a time.
 *
 *   streams WHERE upload BYTES       POST /images/load, chunked as Go's client prints it: 32 kB a chunk
 *   streams WHERE download BYTES     GET /containers/bytesN/export
 *   streams WHERE echo ROUNDS        one byte there and back over an attach
 *   streams WHERE flood BYTES        BYTES from the engine over an attach
 *
 * Prints one line of JSON: bytes (or rounds), seconds, for echo the latencies in microseconds. Exit 1 when a byte is
 * missing or too many.
 */
#include "connect.h"

#define CHUNK_BYTES 32768
#define READ_BYTES (1 << 20)

static char buffer[READ_BYTES + 64];

static void fail(const char *what) {
  fprintf(stderr, "streams: %s\n", what);
  exit(1);
}

static void send_all(int fd, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) fail("nothing has been taken for a minute");
    if (sent <= 0) fail("the connection broke while it was written to");
    bytes += sent;
    length -= (size_t)sent;
  }
}

static size_t read_some(int fd, size_t from) {
  ssize_t got = recv(fd, buffer + from, READ_BYTES - from, 0);
  if (got < 0 && errno == EAGAIN) fail("nothing has come for a minute");
  if (got < 0) fail("the connection broke while it was read");
  return (size_t)got;
}

/* Reads the head of an answer; gives the bytes behind it, moved to the front. */
static size_t read_head(int fd, const char *status) {
  size_t used = 0;
  for (;;) {
    size_t got = read_some(fd, used);
    if (got == 0) fail("the connection ended in the head of the answer");
    used += got;
    char *end = memmem(buffer, used, "\r\n\r\n", 4);
    if (end == NULL) continue;
    if (strncmp(buffer + 9, status, 3) != 0) fail("not the status that was expected");
    size_t head = (size_t)(end - buffer) + 4;
    memmove(buffer, buffer + head, used - head);
    return used - head;
  }
}

static void upload(int fd, unsigned long long bytes) {
  const char *head =
      "POST /v1.51/images/load?quiet=1 HTTP/1.1\r\nHost: docker\r\nUser-Agent: Docker-Client/28.5.2 (linux)\r\n"
      "Transfer-Encoding: chunked\r\nContent-Type: application/x-tar\r\n\r\n";
  send_all(fd, head, strlen(head));
  size_t front = (size_t)sprintf(buffer, "%x\r\n", CHUNK_BYTES);
  memset(buffer + front, 'x', CHUNK_BYTES);
  memcpy(buffer + front + CHUNK_BYTES, "\r\n", 2);
  for (unsigned long long left = bytes; left >= CHUNK_BYTES; left -= CHUNK_BYTES)
    send_all(fd, buffer, front + CHUNK_BYTES + 2);
  send_all(fd, "0\r\n\r\n", 5);
  size_t used = read_head(fd, "200");
  char told[64];
  sprintf(told, "\"%llu bytes\"", bytes);
  while (memmem(buffer, used, told, strlen(told)) == NULL) {
    size_t got = memmem(buffer, used, " bytes\"", 7) == NULL ? read_some(fd, used) : 0;
    if (got == 0) fail("the engine did not get what was uploaded");
    used += got;
  }
}

static void download(int fd, unsigned long long bytes) {
  int size = sprintf(buffer,
                     "GET /v1.51/containers/bytes%llu/export HTTP/1.1\r\nHost: docker\r\nUser-Agent: Docker-Client/28.5.2 "
                     "(linux)\r\n\r\n",
                     bytes);
  send_all(fd, buffer, (size_t)size);
  size_t used = read_head(fd, "200");
  unsigned long long total = 0, left = 0;
  enum { SIZE, DATA, DATA_END, LAST } state = SIZE;
  for (;;) {
    size_t at = 0;
    for (;;) {
      if (state == DATA) {
        size_t taken = used - at < left ? used - at : (size_t)left;
        at += taken;
        left -= taken;
        total += taken;
        if (left > 0) break;
        state = DATA_END;
      }
      char *end = at < used ? memmem(buffer + at, used - at, "\r\n", 2) : NULL;
      if (end == NULL) break;
      if (state == LAST) {
        if (total != bytes) fail("not as many bytes as were asked for");
        return;
      }
      if (state == SIZE) {
        left = strtoull(buffer + at, NULL, 16);
        state = left == 0 ? LAST : DATA;
      } else state = SIZE;
      at = (size_t)(end - buffer) + 2;
    }
    memmove(buffer, buffer + at, used - at);
    used -= at;
    size_t got = read_some(fd, used);
    if (got == 0) fail("the answer ended early");
    used += got;
  }
}

static size_t attach(int fd, const char *name, unsigned long long number) {
  char request[512], whole[64];
  snprintf(whole, sizeof whole, number > 0 ? "%s%llu" : "%s", name, number);
  int size = snprintf(request, sizeof request,
                      "POST /v1.51/containers/%s/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: docker\r\n"
                      "User-Agent: Docker-Client/28.5.2 (linux)\r\nContent-Length: 0\r\nConnection: Upgrade\r\n"
                      "Upgrade: tcp\r\nContent-Type: text/plain\r\n\r\n",
                      whole);
  send_all(fd, request, (size_t)size);
  return read_head(fd, "101");
}

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static void echo(int fd, size_t rounds) {
  if (attach(fd, "echo", 0) != 0) fail("bytes that nobody sent came back");
  double *took = calloc(rounds, sizeof *took);
  for (size_t i = 0; i < rounds + 500; i++) {
    char byte = (char)('a' + i % 26);
    double asked = now();
    send_all(fd, &byte, 1);
    if (read_some(fd, 0) != 1 || buffer[0] != byte) fail("another byte came back than was sent");
    if (i >= 500) took[i - 500] = (now() - asked) * 1e6;
  }
  double sum = 0;
  for (size_t i = 0; i < rounds; i++) sum += took[i];
  qsort(took, rounds, sizeof *took, by_size);
  printf("{\"rounds\":%zu,\"seconds\":%.6f,\"p50\":%.2f,\"p99\":%.2f}\n", rounds, sum / 1e6, took[rounds / 2],
         took[rounds * 99 / 100]);
}

static void flood(int fd, unsigned long long bytes) {
  unsigned long long total = attach(fd, "flood", bytes);
  for (;;) {
    size_t got = read_some(fd, 0);
    if (got == 0) break;
    total += got;
  }
  if (total != bytes) fail("not as many bytes as were asked for");
}

int main(int count, char **words) {
  if (count != 4) {
    fprintf(stderr, "usage: streams WHERE upload|download|echo|flood NUMBER\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  int fd = connect_to(words[1]);
  struct timeval minute = {.tv_sec = 60};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &minute, sizeof minute);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &minute, sizeof minute);
  unsigned long long number = strtoull(words[3], NULL, 10);
  double began = now();
  switch (words[2][0]) {
    case 'u':
      upload(fd, number);
      break;
    case 'd':
      download(fd, number);
      break;
    case 'e':
      echo(fd, (size_t)number);
      return 0;
    default:
      flood(fd, number);
  }
  printf("{\"bytes\":%llu,\"seconds\":%.6f}\n", number, now() - began);
  return 0;
}
