// Mail for accounts of ours: out of the queue into the mailbox, and its mark "done" in the same commit.
#pragma once

#include <string>

#include "delivery/delivery.hpp"
#include "delivery/outcome.hpp"
#include "queue/queue.hpp"
#include "store/engine.hpp"

namespace facteur::delivery {

// The fields that go in front of the content of a local copy: Return-Path and Delivered-To (RFC 5321 §4.4), then those
// of the arrival.
std::string local_prefix(const queue::Entry& entry, const message::Address& recipient);

// Files one copy; `mark` is committed with it or not at all: done means durable, and never twice.
Task<Outcome> deliver_here(const Surroundings& surroundings, const queue::Entry& entry,
                           const message::Address& recipient, directory::AccountId account,
                           const store::Content& content, store::Batch mark);

}  // namespace facteur::delivery
