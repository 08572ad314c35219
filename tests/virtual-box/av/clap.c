/* clap CARD VIDEO SECONDS PPM: flashes a test camera and beeps into a loopback card at the same moments, as a mixer
 * whose clock is PPM millionths fast would hear them: the card runs that much faster, and each beep goes to the sample
 * that the card takes at the moment of its flash. Prints a line a flash: its number, the moment that was wanted and the
 * one at which the camera was told, in seconds of the monotonic clock. */
#include <alsa/asoundlib.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>

#define PIECE 480
#define AHEAD 9600
/* no multiple of any picture's length */
#define EVERY 1.0137
#define FLASH 0.17
#define BEEP 0.05

static int camera;
static double began, seconds;

static double now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec + at.tv_nsec / 1e9;
}

static void sleep_until(double at) {
  struct timespec to = {(time_t)at, (long)((at - floor(at)) * 1e9)};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &to, NULL);
}

static void bright(int value) {
  struct v4l2_control control = {V4L2_CID_BRIGHTNESS, value};
  if (ioctl(camera, VIDIOC_S_CTRL, &control)) perror("brightness"), exit(1);
}

static void *flashes(void *unused) {
  (void)unused;
  for (int n = 1; n * EVERY < seconds; n++) {
    double wanted = began + n * EVERY;
    sleep_until(wanted);
    double before = now();
    bright(255);
    printf("%d %.6f %.6f\n", n, wanted, (before + now()) / 2);
    fflush(stdout);
    sleep_until(wanted + FLASH);
    bright(0);
  }
  return NULL;
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  double rate = 48000 * (1 + atof(argv[4]) / 1e6);
  seconds = atof(argv[3]);
  if ((camera = open(argv[2], O_RDWR)) < 0) return perror(argv[2]), 1;
  bright(0);
  snd_pcm_t *card;
  if (snd_pcm_open(&card, argv[1], SND_PCM_STREAM_PLAYBACK, 0) < 0) return fprintf(stderr, "no card %s\n", argv[1]), 1;
  if (snd_pcm_set_params(card, SND_PCM_FORMAT_S16_LE, SND_PCM_ACCESS_RW_INTERLEAVED, 2, 48000, 0, 400000) < 0) return 1;
  short piece[PIECE * 2] = {0};
  long written = 0;
  for (; written < AHEAD; written += PIECE) snd_pcm_writei(card, piece, PIECE);
  sleep_until(now() + 1);
  began = now() + 1;
  pthread_t flashing;
  pthread_create(&flashing, NULL, flashes, NULL);
  /* sample 0 was taken at this moment: the card's own word, smoothed, since it counts in ticks of the kernel */
  double first = 0;
  long looks = 0;
  while (now() < began + seconds) {
    snd_pcm_sframes_t waiting;
    if (snd_pcm_delay(card, &waiting) == 0) {
      double found = now() - (written - waiting) / rate;
      looks++;
      first += (found - first) / (looks < 500 ? looks : 500);
    }
    for (int i = 0; i < PIECE; i++) {
      double at = first + (written + i) / rate - began;
      double since = at - floor(at / EVERY) * EVERY;
      short value = at > 0 && since < BEEP ? (short)(16000 * sin(6283.185307 * since)) : 0;
      piece[2 * i] = piece[2 * i + 1] = value;
    }
    snd_pcm_sframes_t took = snd_pcm_writei(card, piece, PIECE);
    if (took < 0) return fprintf(stderr, "the card ran dry\n"), 1;
    written += took;
  }
  pthread_join(flashing, NULL);
  fprintf(stderr, "first %.6f, %ld samples in %.3f s\n", first, written, now() - first);
  return 0;
}
