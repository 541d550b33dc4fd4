/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * request.c - a device control that runs on the executor's thread.
 *
 * It is made ready before it can be seen by those who might cancel it, so that
 * IoCancelIrp on it is harmless at any time between init and the end of its memory.
 */
#include "fs/internal.h"

static void completed(PIRP irp, PVOID context)
{
    struct scfs_request *request = context;
    struct scfs_executor *executor = request->executor;

    (void)irp;
    pthread_mutex_lock(&executor->lock);
    request->done = true;
    pthread_cond_broadcast(&executor->changed);
    pthread_mutex_unlock(&executor->lock);
}

void scfs_request_init(struct scfs_request *request, struct scfs_reader *reader,
                       ULONG code, void *buffer, ULONG in_len, ULONG out_len)
{
    request->executor = reader->executor;
    request->metrics = &reader->metrics;
    request->done = false;
    smc_irp_init_ioctl(&request->irp, reader->device, &reader->file, code, buffer, in_len,
                       out_len, completed, request);
}

/* What a buffer has behind its SCARD_IO_REQUEST. */
static size_t payload(ULONG_PTR len)
{
    return len > sizeof(SCARD_IO_REQUEST) ? len - sizeof(SCARD_IO_REQUEST) : 0;
}

static void count(const struct scfs_request *request, uint64_t began_us)
{
    const IO_STACK_LOCATION *stack = &request->irp.Stack;
    NTSTATUS status = request->irp.IoStatus.Status;

    if (!NT_SUCCESS(status))
        scfs_metrics_failed(request->metrics, status);
    else if (stack->Parameters.DeviceIoControl.IoControlCode == IOCTL_SMARTCARD_TRANSMIT)
        scfs_metrics_apdu(request->metrics,
                          payload(stack->Parameters.DeviceIoControl.InputBufferLength),
                          payload(request->irp.IoStatus.Information),
                          scfs_metrics_now_us() - began_us);
}

NTSTATUS scfs_request_run(struct scfs_request *request)
{
    struct scfs_executor *executor = request->executor;
    uint64_t began_us = scfs_metrics_now_us();

    IoCallDriver(request->irp.Stack.DeviceObject, &request->irp);
    pthread_mutex_lock(&executor->lock);
    while (!request->done)
        pthread_cond_wait(&executor->changed, &executor->lock);
    pthread_mutex_unlock(&executor->lock);
    count(request, began_us);
    return request->irp.IoStatus.Status;
}
