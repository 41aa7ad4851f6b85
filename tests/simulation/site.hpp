// One whole Facteur server on a simulated machine: production code from the listeners to the log, over many lives.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "holdings.hpp"
#include "plant.hpp"
#include "server/assembly.hpp"
#include "store/embedded_engine.hpp"

namespace facteur::simulation {

struct SiteParameters {
  std::string domain;
  IpAddress address;
  std::vector<std::string> users;                           // Local parts; password "secret".
  std::map<std::string, std::vector<std::string>> aliases;  // Local part -> addresses.
  Plant plant = Plant::none;
  mailbox::BulkSizes bulk{};
};

// What people's programs trust: the certificate that all sites show.
std::shared_ptr<const crypto::TlsClientContext> trust_in_sites();

class Site {
 public:
  // On an empty disk, or on one that an earlier site has left.
  Site(sim::World& world, SiteParameters parameters, sim::Disk::Image image = {})
      : world_(world), parameters_(std::move(parameters)), image_(std::move(image)) {}
  ~Site();
  Site(const Site&) = delete;
  Site& operator=(const Site&) = delete;

  // A new life on what the disk has; steps the world until it listens. The disk freezes at its `crash_at`-th operation
  // (0: not), which may be in the middle of the recovery.
  void start(std::uint64_t crash_at = 0);
  void add_people();  // Once, in the first life.

  // An operator's command in JSON; `reply` gets whether it was done. It may never come: sites end.
  void ask(std::string request, std::shared_ptr<std::optional<bool>> reply);

  enum class End : std::uint8_t {
    power_cut,  // What was not synced survives by chance.
    kill,       // The process dies, the machine does not.
    stop,       // Drained and closed; the world goes on meanwhile.
  };
  void end(End how);

  sim::Disk::Image take_image() { return std::move(image_); }  // Of one that does not run.

  bool running() const { return life_ != nullptr; }
  bool disk_froze() const { return life_ && life_->machine.disk.crashed(); }
  sim::Disk& disk() { return life_->machine.disk; }

  bool read_only() const { return life_->engine && life_->engine->health() == store::Engine::Health::read_only; }
  void step_calendar(Duration by);                // Also of the lives to come.
  sim::Disk::Image as_cut(std::uint64_t chance);  // What the disk holds if the power went now; it does not.
  bool damage_index(sim::Random& chance);         // Of one that does not run; whether there was one to damage.
  bool surveyed = false;                          // A survey of its disk is under way.

  // ---- looking, while it runs (between events)
  bool queue_empty();
  Holdings holdings();  // Steps the world.

  const SiteParameters& parameters() const { return parameters_; }
  unsigned lives() const { return lives_; }

 private:
  struct Life {
    Life(sim::World& world, const SiteParameters& parameters, sim::Disk::Image image, std::uint64_t crash_at,
         Duration calendar_off);
    sim::Machine machine;
    std::unique_ptr<world::Disk> faulty_disk;
    std::unique_ptr<store::EmbeddedEngine> engine;
    std::unique_ptr<store::Engine> faulty_engine;
    std::unique_ptr<server::Server> server;
    std::unique_ptr<TaskGroup> tasks = std::make_unique<TaskGroup>();
  };
  void run(Task<void> task);  // Steps the world until it has ended.
  Task<void> begin();
  Task<void> command(std::string request);
  Task<void> answer(std::string request, std::shared_ptr<std::optional<bool>> reply);
  Task<void> finish(bool& done);

  sim::World& world_;
  SiteParameters parameters_;
  sim::Disk::Image image_;
  Duration calendar_off_{};
  std::unique_ptr<Life> life_;
  unsigned lives_ = 0;
};

}  // namespace facteur::simulation
