/* A device made with libmodbus: `modbus_server tcp PORT` or `modbus_server rtu TERMINAL`, unit 1.
 *
 * Registers and inputs hold 100 and 1000 more than their address, every third coil and every fifth input is on.
 * It ends with its parent, when standard input does.
 */
#include <errno.h>
#include <modbus.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIZE = 3000 };

static void *end_with_parent(void *nothing)
{
    char byte;
    while (read(0, &byte, 1) > 0)
        ;
    exit(0);
    return nothing;
}

static void serve(modbus_t *context, modbus_mapping_t *mapping)
{
    uint8_t query[MODBUS_TCP_MAX_ADU_LENGTH];
    for (;;) {
        int size = modbus_receive(context, query);
        if (size > 0) {
            modbus_reply(context, query, size, mapping);
        } else if (size == -1 && errno != EMBBADCRC) {
            return;
        }
    }
}

int main(int count, char **arguments)
{
    int index, listener;
    pthread_t watcher;
    modbus_t *context;
    modbus_mapping_t *mapping = modbus_mapping_new(SIZE, SIZE, SIZE, SIZE);

    if (count != 3) {
        return 2;
    }
    pthread_create(&watcher, NULL, end_with_parent, NULL);
    for (index = 0; index < SIZE; index++) {
        mapping->tab_bits[index] = index % 3 == 0;
        mapping->tab_input_bits[index] = index % 5 == 0;
        mapping->tab_registers[index] = 100 + index;
        mapping->tab_input_registers[index] = 1000 + index;
    }
    if (strcmp(arguments[1], "rtu") == 0) {
        context = modbus_new_rtu(arguments[2], 115200, 'N', 8, 1);
        modbus_set_slave(context, 1);
        if (modbus_connect(context) == -1) {
            return 1;
        }
        puts("ready");
        fflush(stdout);
        for (;;) {
            serve(context, mapping);
            modbus_flush(context);
        }
    }
    context = modbus_new_tcp("127.0.0.1", atoi(arguments[2]));
    listener = modbus_tcp_listen(context, 5);
    if (listener == -1) {
        return 1;
    }
    puts("ready");
    fflush(stdout);
    for (;;) {
        modbus_tcp_accept(context, &listener);
        serve(context, mapping);
        modbus_close(context);
    }
}
