/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * part10.h - what a program may ask a reader for, and what it is told of it (PC/SC
 * part 10 §2). Pure.
 */
#ifndef CCID_PART10_H
#define CCID_PART10_H

#include "ccid/internal.h"

#define CCID_PART10_FEATURES_MAX   (6 * 6) /* six features, six bytes each */
#define CCID_PART10_PROPERTIES_MAX 64

/* The answer to GET_FEATURE_REQUEST; escape: commands of the vendor are allowed. */
size_t ccid_part10_features(const struct ccid_desc *desc, bool escape,
                            uint8_t out[CCID_PART10_FEATURES_MAX]);

/* The answer to IFD_PIN_PROPERTIES. */
struct scard_pin_properties ccid_part10_pin(const struct ccid_desc *desc);

/* The answer to GET_TLV_PROPERTIES. */
size_t ccid_part10_properties(const struct ccid_desc *desc,
                              const struct smc_device_identity *identity,
                              uint8_t out[CCID_PART10_PROPERTIES_MAX]);

#endif
