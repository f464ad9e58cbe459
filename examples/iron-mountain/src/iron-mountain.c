/* Checks a vault's configuration and posts files to a bucket over HTTP. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int fail(const char *what)
{
    perror(what);
    return 1;
}

static int check(const char *path)
{
    char name[64];
    int boxes;
    FILE *file = fopen(path, "r");
    if (!file)
        return fail(path);
    int found = fscanf(file, "name = %63s boxes = %d", name, &boxes);
    fclose(file);
    if (found != 2) {
        fprintf(stderr, "%s: needs a name and a number of boxes\n", path);
        return 1;
    }
    printf("vault %s holds %d boxes\n", name, boxes);
    return 0;
}

/* POST a file to http://A.B.C.D:PORT/PATH and print the answer's body; succeeds on status 200. */
static int post(const char *path, const char *url)
{
    char host[64], target[512], buffer[4096];
    int port, status = 0;
    if (sscanf(url, "http://%63[^:]:%d%511s", host, &port, target) != 3) {
        fprintf(stderr, "%s: not of the form http://ADDRESS:PORT/PATH\n", url);
        return 1;
    }
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END))
        return fail(path);
    long size = ftell(file);
    rewind(file);

    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        fprintf(stderr, "%s: not an IPv4 address\n", host);
        return 1;
    }
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address))
        return fail(url);
    FILE *peer = fdopen(fd, "r+b");
    fprintf(peer, "POST %s HTTP/1.0\r\nHost: %s\r\nContent-Length: %ld\r\n\r\n", target, host, size);
    for (size_t n; (n = fread(buffer, 1, sizeof buffer, file)) > 0;)
        fwrite(buffer, 1, n, peer);
    fclose(file);
    if (fflush(peer))
        return fail(url);

    int in_body = 0;
    fseek(peer, 0, SEEK_CUR);
    while (fgets(buffer, sizeof buffer, peer)) {
        if (in_body)
            fputs(buffer, stdout);
        else if (!status)
            sscanf(buffer, "HTTP/%*s %d", &status);
        else if (!strcmp(buffer, "\r\n") || !strcmp(buffer, "\n"))
            in_body = 1;
    }
    fclose(peer);
    if (status != 200) {
        fprintf(stderr, "%s: answered %d\n", url, status);
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "check"))
        return check(argv[2]);
    if (argc == 4 && !strcmp(argv[1], "post"))
        return post(argv[2], argv[3]);
    fprintf(stderr, "usage: iron-mountain check CONFIG | post FILE URL\n");
    return 2;
}
