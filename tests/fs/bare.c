/* SPDX-License-Identifier: BSD-2-Clause */
/* bare.c - fs over the fake driver without a mount. */
#include "bare.h"

#include "fake_driver.h"

struct scfs bare_fs;
struct scfs_reader *bare_reader;
uint64_t bare_now_ms;

static uint64_t virtual_clock(void)
{
    return bare_now_ms;
}

static NTSTATUS arrived(void *context, PDEVICE_OBJECT device)
{
    return scfs_reader_arrived(context, device);
}

static void gone(void *context, PDEVICE_OBJECT device, int surprise)
{
    scfs_reader_gone(context, device, surprise != 0);
}

static void service(void *context, PDEVICE_OBJECT device, ULONG delay_ms)
{
    scfs_service_request(context, device, delay_ms);
}

bool bare_begin(bool power_on)
{
    static struct scfs_options options;
    static struct smc_io_client client = {
        .arrived = arrived, .gone = gone, .context = &bare_fs, .service = service};

    options = (struct scfs_options){.power_on = power_on};
    bare_now_ms = 1000;
    scfs_init(&bare_fs, &options, &fake_driver);
    bare_fs.timer.now_ms = virtual_clock;
    smc_io_register(&client);
    if (smc_io_load(&bare_fs.driver_object, fake_driver.entry) != STATUS_SUCCESS ||
        fake_driver.plug(NULL) != STATUS_SUCCESS)
        return false;
    bare_reader = scfs_registry_after(&bare_fs, 0);
    return bare_reader != NULL;
}

void bare_end(void)
{
    smc_io_unload(&bare_fs.driver_object);
    smc_io_register(NULL);
    scfs_reader_put(bare_reader);
    scfs_end(&bare_fs);
}
