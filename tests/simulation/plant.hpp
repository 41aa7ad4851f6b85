// Bugs planted on purpose, to see that the checkers find them (RELIABILITY.md G1). They stand between the production
// code and its disk or its engine; nothing of them is in the production code.
#pragma once

#include <array>
#include <memory>
#include <string_view>

#include "sim/world.hpp"
#include "store/engine.hpp"

namespace facteur::simulation {

enum class Plant : std::uint8_t {
  none,
  early_250,         // A commit is answered before it is durable.
  skipped_sync,      // One sync of a file in four does nothing, and says it was done.
  skipped_rename,    // Folders are never synced: a segment's name may be lost.
  modseq_reused,     // The account's record with its last modseq is not always written.
  uid_reused,        // The mailbox's record with its next UID is not always written.
  queue_too_soon,    // A queue record goes as soon as it is there, while the delivery is only beginning.
  forgotten_change,  // One change without new content in eight is answered, and not made.
};
struct NamedPlant {
  Plant plant;
  std::string_view name;
};
inline constexpr std::array<NamedPlant, 7> plants{{{Plant::early_250, "early_250"},
                                                   {Plant::skipped_sync, "skipped_sync"},
                                                   {Plant::skipped_rename, "skipped_rename"},
                                                   {Plant::modseq_reused, "modseq_reused"},
                                                   {Plant::uid_reused, "uid_reused"},
                                                   {Plant::queue_too_soon, "queue_too_soon"},
                                                   {Plant::forgotten_change, "forgotten_change"}}};

// `disk` and `engine`, or faulty ones over them.
std::unique_ptr<world::Disk> plant_in_disk(Plant plant, world::Disk& disk, sim::Random& chance);
std::unique_ptr<store::Engine> plant_in_engine(Plant plant, store::Engine& engine, sim::Random& chance);

}  // namespace facteur::simulation
