/* sink.c - the SMTP server of sink.py in C: takes every mail, keeps none, checks nothing.
 *
 *     sink --certificate FILE [--no-chunking] [--no-quit-reply]
 *
 * Prints "ready PORT", then, for each line on its standard input, what it has counted since the
 * line before, as JSON; ends with its standard input.  TLS on every connection, a thread each.
 *
 * It exists because a server in Python would be slower than some of what is measured against it.
 * Replies wait until more must be read, so that a group of commands gets a group of replies. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

enum { ROOM = 1 << 16, REPLY_MAX = 512 };

static int no_chunking, no_quit_reply;
static SSL_CTX *context;
static _Atomic long connections, mails, octets, commands;
static _Atomic double began, ended;

typedef struct {
  SSL *ssl;
  char in[ROOM], out[ROOM];
  size_t start, end; /* what came and is not used: in[start..end) */
  size_t filled;     /* what is to be sent: out[0..filled) */
} Wire;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int send_replies(Wire *w) {
  int sent = w->filled ? SSL_write(w->ssl, w->out, (int)w->filled) : 1;
  w->filled = 0;
  return sent > 0;
}

/* Read behind what is there; false at the end of the stream, or when a line fills all the room. */
static int more(Wire *w) {
  if (!send_replies(w)) return 0;
  memmove(w->in, w->in + w->start, w->end - w->start);
  w->end -= w->start;
  w->start = 0;
  int got = SSL_read(w->ssl, w->in + w->end, (int)(ROOM - w->end));
  if (got <= 0) return 0;
  w->end += (size_t)got;
  return 1;
}

static int say(Wire *w, const char *format, ...) {
  va_list arguments;
  if (w->filled + REPLY_MAX > ROOM && !send_replies(w)) return 0;
  va_start(arguments, format);
  w->filled += (size_t)vsnprintf(w->out + w->filled, REPLY_MAX, format, arguments);
  va_end(arguments);
  return 1;
}

/* The next line, its end cut off and a NUL behind it; NULL at the end of the stream. */
static char *read_line(Wire *w) {
  char *feed;
  size_t looked = 0;
  while (!(feed = memchr(w->in + w->start + looked, '\n', w->end - w->start - looked))) {
    looked = w->end - w->start;
    if (!more(w)) return NULL;
  }
  char *line = w->in + w->start;
  w->start = (size_t)(feed - w->in) + 1;
  *feed = 0;
  if (feed > line && feed[-1] == '\r') feed[-1] = 0;
  return line;
}

static int skip(Wire *w, long count) {
  while (count > 0) {
    if (w->start == w->end && !more(w)) return 0;
    long here = (long)(w->end - w->start), used = here < count ? here : count;
    w->start += (size_t)used;
    count -= used;
  }
  return 1;
}

/* Drop a content up to the line with one dot; its octets, or -1 at the end of the stream. */
static long skip_content(Wire *w) {
  static const char mark[] = "\r\n.\r\n";
  long count = 0;
  int matched = 2; /* of the mark: the end of DATA's own line, as a content may be empty */
  for (;;) {
    if (w->start == w->end && !more(w)) return -1;
    char *at = w->in + w->start, *stop = w->in + w->end;
    while (at < stop) {
      if (!matched && !(at = memchr(at, '\r', (size_t)(stop - at)))) break;
      if (*at == mark[matched]) matched++;
      else matched = *at == '\r';
      at++;
      if (matched == 5) {
        count += at - (w->in + w->start);
        w->start = (size_t)(at - w->in);
        return count - 3;
      }
    }
    count += (long)(w->end - w->start);
    w->start = w->end;
  }
}

static int count_mail(Wire *w) {
  ended = now();
  return say(w, "250 2.0.0 Ok: %ld\r\n", (long)atomic_fetch_add(&mails, 1) + 1);
}

static int take_chunk(Wire *w, char *line) {
  char *rest;
  long count = strtol(line + 5, &rest, 10);
  int is_last = strcasestr(rest, "LAST") != NULL;
  if (!skip(w, count)) return 0;
  octets += count;
  return is_last ? count_mail(w) : say(w, "250 2.0.0 go on\r\n");
}

static int take_content(Wire *w) {
  if (!say(w, "354 go ahead\r\n")) return 0;
  long count = skip_content(w);
  if (count < 0) return 0;
  octets += count;
  return count_mail(w);
}

/* Believe every login: PLAIN or LOGIN, with or without an initial response. */
static int log_in(Wire *w, char *line) {
  int is_login = !strncasecmp(line + 5, "LOGIN", 5), has_response = strchr(line + 5, ' ') != NULL;
  for (int asked = (is_login ? 2 : 1) - has_response; asked > 0; asked--) {
    const char *challenge = asked == 2 ? "VXNlcm5hbWU6" : is_login ? "UGFzc3dvcmQ6" : "";
    if (!say(w, "334 %s\r\n", challenge) || !read_line(w)) return 0;
  }
  return say(w, "235 2.7.0 welcome\r\n");
}

static int say_hello(Wire *w) {
  return say(w, "250-sink.example.test\r\n250-PIPELINING\r\n250-SIZE 2147483648\r\n250-8BITMIME\r\n"
                "250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n%s250 AUTH PLAIN LOGIN\r\n",
             no_chunking ? "" : "250-CHUNKING\r\n");
}

static void talk(Wire *w) {
  char *line;
  int goes_on = say(w, "220 sink.example.test ESMTP\r\n");
  while (goes_on && (line = read_line(w))) {
    commands++;
    if (!strncasecmp(line, "MAIL", 4)) {
      if (began == 0) began = now();
      goes_on = say(w, "250 2.1.0 Ok\r\n");
    } else if (!strncasecmp(line, "RCPT", 4)) goes_on = say(w, "250 2.1.5 Ok\r\n");
    else if (!strncasecmp(line, "BDAT", 4)) goes_on = take_chunk(w, line);
    else if (!strncasecmp(line, "DATA", 4)) goes_on = take_content(w);
    else if (!strncasecmp(line, "RSET", 4)) goes_on = say(w, "250 2.0.0 Ok\r\n");
    else if (!strncasecmp(line, "EHLO", 4)) goes_on = say_hello(w);
    else if (!strncasecmp(line, "AUTH", 4)) goes_on = log_in(w, line);
    else if (!strncasecmp(line, "QUIT", 4)) {
      if (no_quit_reply) continue;
      goes_on = say(w, "221 2.0.0 Bye\r\n") && send_replies(w) && 0;
    } else goes_on = say(w, "500 5.5.1 what?\r\n");
  }
}

static void *serve(void *argument) {
  int fd = (int)(long)argument, one = 1;
  Wire *w = calloc(1, sizeof *w);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  w->ssl = SSL_new(context);
  SSL_set_fd(w->ssl, fd);
  if (SSL_accept(w->ssl) > 0) {
    connections++;
    talk(w);
  }
  SSL_free(w->ssl);
  free(w);
  close(fd);
  return NULL;
}

static void *accept_all(void *argument) {
  int listener = (int)(long)argument, fd;
  pthread_t thread;
  while ((fd = accept(listener, NULL, NULL)) >= 0)
    if (!pthread_create(&thread, NULL, serve, (void *)(long)fd)) pthread_detach(thread);
  return NULL;
}

static int listen_on_loopback(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(fd, (struct sockaddr *)&address, size) || listen(fd, 64)) return -1;
  getsockname(fd, (struct sockaddr *)&address, &size);
  printf("ready %d\n", ntohs(address.sin_port));
  return fd;
}

int main(int count, char **arguments) {
  const char *certificate = NULL;
  char line[64];
  pthread_t thread;
  for (int i = 1; i < count; i++) {
    if (!strcmp(arguments[i], "--no-chunking")) no_chunking = 1;
    else if (!strcmp(arguments[i], "--no-quit-reply")) no_quit_reply = 1;
    else if (!strcmp(arguments[i], "--certificate") && i + 1 < count) certificate = arguments[++i];
  }
  signal(SIGPIPE, SIG_IGN);
  setlinebuf(stdout);
  context = SSL_CTX_new(TLS_server_method());
  if (!certificate || SSL_CTX_use_certificate_chain_file(context, certificate) <= 0 ||
      SSL_CTX_use_PrivateKey_file(context, certificate, SSL_FILETYPE_PEM) <= 0) {
    fprintf(stderr, "sink: no certificate\n");
    return 1;
  }
  int listener = listen_on_loopback();
  if (listener < 0 || pthread_create(&thread, NULL, accept_all, (void *)(long)listener)) return 1;
  while (fgets(line, sizeof line, stdin)) {
    // Each is taken and set to nought in one step: what comes meanwhile counts for the next report.
    long c = atomic_exchange(&connections, 0), m = atomic_exchange(&mails, 0);
    long o = atomic_exchange(&octets, 0), l = atomic_exchange(&commands, 0);
    double b = began, e = ended;
    began = ended = 0;
    printf("{\"connections\": %ld, \"mails\": %ld, \"octets\": %ld, \"commands\": %ld, "
           "\"began\": %.6f, \"ended\": %.6f}\n", c, m, o, l, b, e);
  }
  return 0;
}
