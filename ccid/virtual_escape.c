/* SPDX-License-Identifier: BSD-2-Clause */
/* virtual_escape.c - PC_to_RDR_Escape of the virtual reader, whose vendor has one
 * command: it gives the bytes back, the last one first. */
#include "ccid/virtual_internal.h"

void virtual_escape(struct virtual_request *request)
{
    for (size_t i = 0; i < request->data_len; i++)
        request->slot->response[i] = request->data[request->data_len - 1 - i];
    virtual_done(request, 0, request->data_len);
}
