/*
 * Runs commands side by side and tells what they took.
 *
 *   measure RUNS COMMAND [ARGUMENT…] [--- COMMAND [ARGUMENT…]]…
 *
 * The commands alternate, RUNS times, so that a slower moment of the machine meets all of them; one
 * round before is not counted (it fills the page cache), and not made where RUNS is negative. Their stdout goes to /dev/null. One line a
 * command, in order, on stdout: median of user+system CPU seconds, median of wall-clock seconds,
 * largest resident set in kB of any run, exit status of the last run (128 + signal when killed).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { max_commands = 16, max_runs = 99 };

struct command {
  char **arguments;
  double cpu[max_runs];
  double wall[max_runs];
  long max_rss;
  int status;
};

static double seconds(struct timeval t) {
  return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static void fail(const char *what) {
  fprintf(stderr, "measure: %s: %s\n", what, strerror(errno));
  exit(70);
}

static double now(void) {
  struct timespec t;
  if (clock_gettime(CLOCK_MONOTONIC, &t) != 0) fail("clock_gettime");
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void run(struct command *command, int index) {
  double start = now();
  pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null < 0 || dup2(null, STDOUT_FILENO) < 0) _exit(127);
    execvp(command->arguments[0], command->arguments);
    fprintf(stderr, "measure: %s: %s\n", command->arguments[0], strerror(errno));
    _exit(127);
  }

  int status;
  /* The child's usage, that of its own children (which it waited for) included. */
  struct rusage usage;
  while (wait4(child, &status, 0, &usage) < 0) {
    if (errno != EINTR) fail("wait4");
  }
  command->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (usage.ru_maxrss > command->max_rss) command->max_rss = usage.ru_maxrss;
  if (index < 0) return;
  command->cpu[index] = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  command->wall[index] = now() - start;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *values, int count) {
  qsort(values, (size_t)count, sizeof *values, ascending);
  return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

int main(int argc, char **argv) {
  static struct command commands[max_commands];
  int count = 0;
  int runs = argc > 2 ? atoi(argv[1]) : 0;
  int first = runs < 0 ? 0 : -1;
  if (runs < 0) runs = -runs;
  if (runs < 1 || runs > max_runs) {
    fprintf(stderr, "usage: measure RUNS COMMAND [ARGUMENT...] [--- COMMAND...]\n");
    return 64;
  }
  for (int i = 2; i < argc; i++) {
    if (count == max_commands) {
      fprintf(stderr, "measure: more than %d commands\n", max_commands);
      return 64;
    }
    commands[count++].arguments = &argv[i];
    while (i < argc && strcmp(argv[i], "---") != 0) i++;
    argv[i] = NULL; /* ends this command; argv[argc] is a null pointer already */
    if (commands[count - 1].arguments[0] == NULL) {
      fprintf(stderr, "measure: an empty command\n");
      return 64;
    }
  }

  for (int index = first; index < runs; index++)
    for (int c = 0; c < count; c++) run(&commands[c], index);
  for (int c = 0; c < count; c++)
    printf("%.4f %.4f %ld %d\n", median(commands[c].cpu, runs), median(commands[c].wall, runs),
           commands[c].max_rss, commands[c].status);
  return 0;
}
