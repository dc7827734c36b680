/* A pretended V4L2 camera for tests: preload this library, and /dev/video42 (or 43) is a USB camera of 640x480 at 25 pictures a second.
 *
 *   cc -shared -fPIC -O2 -o fakev4l2.so fakev4l2.c -ldl
 *   FAKE_V4L2_DIR=/tmp/faults LD_PRELOAD=./fakev4l2.so program
 *
 * A handle of it is a timerfd, so that select() and poll() work by themselves; the calls that tell it from a camera are answered here.
 * YUYV pictures are grey, with the picture's number in the top left corner: 16 squares of 16 pixels, least significant bit first, white is 1.
 *
 * Files in $FAKE_V4L2_DIR, looked at in every call:
 *   unplug     open: ENOENT, everything else: ENODEV
 *   moved      it was put in again and is /dev/video43 now; handles of the other one: ENODEV
 *   busy       S_FMT, REQBUFS and STREAMON: EBUSY, as when another program streams
 *   denied     open: EACCES
 *   stall      no further pictures
 *   still      the time stamp stands still
 *   short      pictures are half as long as they should be (OpenCV passes that on for MJPG only)
 *   frame.jpg  the camera has MJPG too, and sends this (up to 600 kB)
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { WIDTH = 640, HEIGHT = 480, BYTES = WIDTH * HEIGHT * 2, BUFFERS = 8, HANDLES = 16, PERIOD_NS = 40000000 };

static int handles[HANDLES]; /* descriptor + 1 of each open handle; 0: free */
static int moved[HANDLES];   /* whether it is a handle of /dev/video43 */
static int owner = -1;       /* who holds the buffers; only one can, as with a real driver */
static int streaming;
static uint32_t format = V4L2_PIX_FMT_YUYV;
static uint8_t *memory;
static int queue[BUFFERS], queued, buffers; /* numbers of the buffers that wait for a picture, first one first */
static uint32_t number;
static struct timespec last_stamp;

#define REAL(type, name, ...)              \
    static type (*real)(__VA_ARGS__);      \
    if (!real) real = dlsym(RTLD_NEXT, name)

static const char *control_path(const char *name) {
    static __thread char path[512];
    const char *directory = getenv("FAKE_V4L2_DIR");
    snprintf(path, sizeof path, "%s/%s", directory ? directory : ".", name);
    return path;
}

static int set(const char *name) { return access(control_path(name), F_OK) == 0; }

static int fail(int error) {
    errno = error;
    return -1;
}

static int handle_of(int fd) {
    for (int i = 0; fd >= 0 && i < HANDLES; i++)
        if (handles[i] == fd + 1) return i;
    return -1;
}

static void run_timer(int fd, int on) {
    struct itimerspec every = {{0, on ? PERIOD_NS : 0}, {0, on ? PERIOD_NS : 0}};
    timerfd_settime(fd, 0, &every, 0);
}

/* ---- open, close, mmap ---- */

static int is_device(const char *path) {
    return path && (!strcmp(path, "/dev/video42") || !strcmp(path, "/dev/video43"));
}

static int open_device(const char *path) {
    if (set("unplug") || (set("moved") != !strcmp(path, "/dev/video43"))) return fail(ENOENT);
    if (set("denied")) return fail(EACCES);
    int i = 0;
    while (i < HANDLES && handles[i]) i++;
    if (i == HANDLES) return fail(EMFILE);
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (fd < 0) return -1;
    if (!memory) memory = mmap(0, BUFFERS * BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    handles[i] = fd + 1;
    moved[i] = set("moved");
    return fd;
}

#define OPEN(name)                                                      \
    int name(const char *path, int flags, ...) {                        \
        mode_t mode = 0;                                                \
        if (flags & (O_CREAT | __O_TMPFILE)) {                          \
            va_list more;                                               \
            va_start(more, flags);                                      \
            mode = va_arg(more, mode_t);                                \
            va_end(more);                                               \
        }                                                               \
        if (is_device(path)) return open_device(path);                  \
        REAL(int, #name, const char *, int, ...);                       \
        return real(path, flags, mode);                                 \
    }
OPEN(open)
OPEN(open64)

int __open_2(const char *path, int flags) {
    if (is_device(path)) return open_device(path);
    REAL(int, "__open_2", const char *, int);
    return real(path, flags);
}

int __open64_2(const char *path, int flags) {
    if (is_device(path)) return open_device(path);
    REAL(int, "__open64_2", const char *, int);
    return real(path, flags);
}

int close(int fd) {
    int i = handle_of(fd);
    if (i >= 0) {
        handles[i] = 0;
        if (owner == fd) owner = -1, streaming = 0;
    }
    REAL(int, "close", int);
    return real(fd);
}

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset) {
    REAL(void *, "mmap", void *, size_t, int, int, int, off_t);
    return handle_of(fd) >= 0 ? memory + offset : real(address, length, protection, flags, fd, offset);
}

void *mmap64(void *address, size_t length, int protection, int flags, int fd, off64_t offset) {
    REAL(void *, "mmap64", void *, size_t, int, int, int, off64_t);
    return handle_of(fd) >= 0 ? memory + offset : real(address, length, protection, flags, fd, offset);
}

int munmap(void *address, size_t length) {
    if (memory && (uint8_t *)address >= memory && (uint8_t *)address < memory + BUFFERS * BYTES) return 0;
    REAL(int, "munmap", void *, size_t);
    return real(address, length);
}

/* ---- what the camera answers ---- */

static void describe(struct v4l2_pix_format *picture) {
    picture->width = WIDTH;
    picture->height = HEIGHT;
    picture->pixelformat = format;
    picture->field = V4L2_FIELD_NONE;
    picture->bytesperline = format == V4L2_PIX_FMT_YUYV ? WIDTH * 2 : 0;
    picture->sizeimage = BYTES;
    picture->colorspace = V4L2_COLORSPACE_SRGB;
}

static uint32_t draw(uint8_t *picture) {
    uint32_t used = BYTES;
    if (format == V4L2_PIX_FMT_MJPEG) {
        FILE *file = fopen(control_path("frame.jpg"), "rb");
        used = file ? fread(picture, 1, BYTES, file) : 0;
        if (file) fclose(file);
    } else {
        memset(picture, 128, BYTES);
        for (int y = 0; y < 16; y++)
            for (int x = 0; x < 256; x++) picture[(y * WIDTH + x) * 2] = (number >> (x / 16)) & 1 ? 235 : 16;
    }
    return set("short") ? used / 2 : used;
}

static int next_picture(int fd, struct v4l2_buffer *buffer) {
    struct itimerspec timer;
    uint64_t ticks;
    timerfd_gettime(fd, &timer);
    int running = timer.it_interval.tv_nsec != 0;
    if (streaming && running == set("stall")) run_timer(fd, !running);
    if (read(fd, &ticks, sizeof ticks) != sizeof ticks) return fail(EAGAIN);
    number += ticks;
    if (!queued) return fail(EAGAIN); /* dropped, as a camera without a buffer drops it */
    int i = queue[0];
    memmove(queue, queue + 1, --queued * sizeof *queue);
    if (!set("still")) clock_gettime(CLOCK_MONOTONIC, &last_stamp);
    memset(buffer, 0, sizeof *buffer);
    buffer->type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    buffer->memory = V4L2_MEMORY_MMAP;
    buffer->index = i;
    buffer->bytesused = draw(memory + i * BYTES);
    buffer->length = BYTES;
    buffer->m.offset = i * BYTES;
    buffer->sequence = number;
    buffer->field = V4L2_FIELD_NONE;
    buffer->flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
    buffer->timestamp.tv_sec = last_stamp.tv_sec;
    buffer->timestamp.tv_usec = last_stamp.tv_nsec / 1000;
    return 0;
}

static int capabilities(struct v4l2_capability *answer) {
    memset(answer, 0, sizeof *answer);
    strcpy((char *)answer->driver, "fakev4l2");
    strcpy((char *)answer->card, "Pretended camera");
    strcpy((char *)answer->bus_info, "usb-fake-1");
    answer->device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
    answer->capabilities = answer->device_caps | V4L2_CAP_DEVICE_CAPS;
    return 0;
}

static int set_format(int fd, struct v4l2_format *wanted, int keep) {
    if (wanted->type != V4L2_BUF_TYPE_VIDEO_CAPTURE) return fail(EINVAL);
    if (keep && (set("busy") || (owner >= 0 && owner != fd))) return fail(EBUSY);
    uint32_t before = format;
    format = wanted->fmt.pix.pixelformat == V4L2_PIX_FMT_MJPEG && set("frame.jpg") ? V4L2_PIX_FMT_MJPEG : V4L2_PIX_FMT_YUYV;
    describe(&wanted->fmt.pix);
    if (!keep) format = before;
    return 0;
}

static int request_buffers(int fd, struct v4l2_requestbuffers *wanted) {
    if (wanted->memory != V4L2_MEMORY_MMAP) return fail(EINVAL);
    if (set("busy") || (owner >= 0 && owner != fd)) return fail(EBUSY);
    if (wanted->count > BUFFERS) wanted->count = BUFFERS;
    buffers = wanted->count;
    owner = buffers ? fd : -1;
    queued = 0;
    return 0;
}

static int queue_buffer(const struct v4l2_buffer *buffer) {
    if (buffer->index >= (unsigned)buffers) return fail(EINVAL);
    for (int i = 0; i < queued; i++)
        if (queue[i] == (int)buffer->index) return fail(EINVAL); /* it is in the queue already */
    queue[queued++] = buffer->index;
    return 0;
}

static int stream(int fd, int on) {
    if (on && set("busy")) return fail(EBUSY);
    if (!on) queued = 0;
    streaming = on;
    run_timer(fd, on);
    return 0;
}

static int answer(int fd, unsigned long request, void *argument) {
    if (set("unplug") || set("moved") != moved[handle_of(fd)]) return fail(ENODEV);
    switch ((unsigned)request) {
        case VIDIOC_QUERYCAP: return capabilities(argument);
        case VIDIOC_ENUMINPUT: {
            struct v4l2_input *input = argument;
            if (input->index) return fail(EINVAL);
            strcpy((char *)input->name, "Camera 1");
            input->type = V4L2_INPUT_TYPE_CAMERA;
            input->std = 0;
            return 0;
        }
        case VIDIOC_G_INPUT: *(int *)argument = 0; return 0;
        case VIDIOC_S_INPUT: return 0;
        case VIDIOC_ENUM_FMT: {
            struct v4l2_fmtdesc *known = argument;
            if (known->type != V4L2_BUF_TYPE_VIDEO_CAPTURE || known->index > (unsigned)set("frame.jpg")) return fail(EINVAL);
            known->pixelformat = known->index ? V4L2_PIX_FMT_MJPEG : V4L2_PIX_FMT_YUYV;
            strcpy((char *)known->description, known->index ? "Motion-JPEG" : "YUYV 4:2:2");
            known->flags = 0;
            return 0;
        }
        case VIDIOC_G_FMT: {
            struct v4l2_format *now = argument;
            if (now->type != V4L2_BUF_TYPE_VIDEO_CAPTURE) return fail(EINVAL);
            describe(&now->fmt.pix);
            return 0;
        }
        case VIDIOC_S_FMT: return set_format(fd, argument, 1);
        case VIDIOC_TRY_FMT: return set_format(fd, argument, 0);
        case VIDIOC_G_PARM:
        case VIDIOC_S_PARM: {
            struct v4l2_streamparm *rate = argument;
            rate->parm.capture.capability = V4L2_CAP_TIMEPERFRAME;
            rate->parm.capture.timeperframe.numerator = 1;
            rate->parm.capture.timeperframe.denominator = 25;
            return 0;
        }
        case VIDIOC_REQBUFS: return request_buffers(fd, argument);
        case VIDIOC_QUERYBUF: {
            struct v4l2_buffer *buffer = argument;
            if (buffer->index >= (unsigned)buffers) return fail(EINVAL);
            buffer->length = BYTES;
            buffer->m.offset = buffer->index * BYTES;
            buffer->flags = 0;
            return 0;
        }
        case VIDIOC_QBUF: return queue_buffer(argument);
        case VIDIOC_STREAMON: return stream(fd, 1);
        case VIDIOC_STREAMOFF: return stream(fd, 0);
        case VIDIOC_DQBUF: return next_picture(fd, argument);
        default: return fail(ENOTTY);
    }
}

int ioctl(int fd, unsigned long request, ...) {
    va_list more;
    va_start(more, request);
    void *argument = va_arg(more, void *);
    va_end(more);
    REAL(int, "ioctl", int, unsigned long, ...);
    return handle_of(fd) < 0 ? real(fd, request, argument) : answer(fd, request, argument);
}
