// The folder of a backup as the commands use it: opened, locked, and a generation chosen.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "backup/opened.hpp"
#include "backup/repository.hpp"
#include "cli/context.hpp"
#include "cli/progress.hpp"
#include "config/schema.hpp"
#include "host/disk.hpp"
#include "host/world.hpp"
#include "store/embedded_engine.hpp"

namespace facteur::cli {

struct BackupFolder {
  std::unique_ptr<host::Disk> disk;  // Locked as long as this lives: one run at a time.
  std::optional<backup::Repository> repository;
  int exit_code = ExitCode::done;  // Else it was complained of, and there is nothing to use.

  // The generation of that name; complains if there is none.
  const backup::Generation* generation(const Context& context, const std::string& name) const;
};
BackupFolder open_backup(const Context& context, const std::string& folder, bool make);

// A folder of our own for a while.
class ScratchFolder {
 public:
  static Result<ScratchFolder> make(const std::string& below);  // Empty: the system's place for such.
  ~ScratchFolder();
  ScratchFolder(ScratchFolder&& other) noexcept;
  ScratchFolder& operator=(ScratchFolder&&) = delete;
  const std::string& path() const { return path_; }

 private:
  explicit ScratchFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// The configuration that is in a generation; the defaults if it cannot be read.
config::Config configuration_in(const backup::Repository& repository, const backup::Generation& generation);

// What a store holds.
struct Contents {
  std::uint64_t accounts = 0, messages = 0, bytes = 0, queued = 0;
  std::uint64_t unreadable = 0;      // Bodies.
  std::vector<std::string> damaged;  // Records kept aside: "where: why".
};
// Reads every body if `thorough`, and closes the store. Ends the life of `world`.
Result<Contents> contents_of(host::World& world, store::EmbeddedEngine& engine, const config::Config& config,
                             bool thorough);
// A world for that, whose disk is `folder`.
Result<std::unique_ptr<host::World>> world_of(const std::string& folder);

// The store that is in a generation, opened to be read, as after a loss of all but the log.
class OpenedGeneration {
 public:
  // `scratch`: a folder in which one is made for the index; empty: the system's for temporary files.
  static Result<OpenedGeneration> open(const backup::Repository& repository, const backup::Generation& generation,
                                       const std::string& scratch);
  host::World& world() { return *world_; }
  store::EmbeddedEngine& engine() { return *engine_; }

 private:
  explicit OpenedGeneration(ScratchFolder scratch) : scratch_(std::move(scratch)) {}
  ScratchFolder scratch_;
  std::unique_ptr<host::World> world_;
  std::unique_ptr<backup::OpenedBackup> disk_;
  std::unique_ptr<store::EmbeddedEngine> engine_;
};

std::string mebibytes(std::uint64_t octets);  // "12.3".
void complain_of(const Failure& failure);

}  // namespace facteur::cli
