#include "cli/backup_folder.hpp"

#include <fmt/format.h>
#include <stdlib.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "cli/restored.hpp"
#include "cli/site.hpp"
#include "config/load.hpp"
#include "directory/store_directory.hpp"
#include "mailbox/mailboxes.hpp"
#include "message/structure.hpp"
#include "queue/queue.hpp"

namespace facteur::cli {

namespace fs = std::filesystem;

BackupFolder open_backup(const Context& context, const std::string& folder, bool make) {
  BackupFolder out;
  std::error_code wrong;
  if (!make && !fs::is_directory(folder, wrong)) {
    complain(context.say("error.read", {folder}));
    out.exit_code = ExitCode::failed;
    return out;
  }
  auto disk = host::Disk::open_root(folder);
  auto locked = disk ? (*disk)->lock() : Result<bool>(failed(disk));
  if (!locked) {
    complain_of(locked.error());
    out.exit_code = ExitCode::failed;
    return out;
  }
  if (!*locked) {
    complain(context.say("backup.busy", {folder}));
    out.exit_code = ExitCode::busy;
    return out;
  }
  out.disk = std::move(*disk);
  auto repository = backup::Repository::open(*out.disk);
  if (repository) {
    out.repository.emplace(std::move(*repository));
    // It will hold private keys. Root's copies from a stopped server's store belong to the server's user (ask.cpp), who
    // must not come to them. A file system without permissions has none to take.
    if (make) fs::permissions(folder, fs::perms::group_all | fs::perms::others_all, fs::perm_options::remove, wrong);
  } else {
    complain_of(repository.error());
    out.exit_code = ExitCode::failed;
  }
  return out;
}

const backup::Generation* BackupFolder::generation(const Context& context, const std::string& name) const {
  const auto* found = repository->find(name);
  if (!found) complain(context.say(name.empty() ? "backup.none" : "backup.no_such", {name}));
  return found;
}

Result<ScratchFolder> ScratchFolder::make(const std::string& below) {
  std::error_code wrong;
  const fs::path parent = below.empty() ? fs::temp_directory_path(wrong) : fs::path(below);
  std::string path = (parent / "facteur-XXXXXX").string();
  if (wrong || ::mkdtemp(path.data()) == nullptr) {
    return failure(Failure::Kind::temporary, "F-6260", "No folder can be made in " + parent.string());
  }
  return ScratchFolder(std::move(path));
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

ScratchFolder::ScratchFolder(ScratchFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}

config::Config configuration_in(const backup::Repository& repository, const backup::Generation& generation) {
  std::vector<config::Source> sources;
  for (const auto& file : generation.manifest.files) {
    if (file.what != "configuration") continue;
    if (auto text = backup::read(repository, file)) sources.push_back({file.path, std::move(*text)});
  }
  auto loaded = config::parse(sources);
  return loaded.good() ? std::move(loaded.config) : config::Config{};
}

namespace {

Result<void> count(const directory::Directory& directory, const mailbox::Mailboxes& mailboxes, queue::Queue& queue,
                   Contents& out) {
  auto accounts = directory.accounts();
  if (!accounts) return failed(accounts);
  out.accounts = accounts->size();
  for (const auto& account : *accounts) {
    auto usage = mailboxes.usage(account.id);
    if (!usage) return failed(usage);
    out.messages += usage->messages;
    out.bytes += usage->bytes;
  }
  auto entries = queue.list();
  if (!entries) return failed(entries);
  out.queued = entries->size();
  return {};
}

Task<void> look(host::World& world, store::EmbeddedEngine& engine, const config::Config& config, bool thorough,
                Result<Contents>& out) {
  if (auto settled = co_await settle_restored(world, *world.disk, engine); !settled) {
    out = failed(settled);
    co_await engine.close();
    co_return;
  }
  {
    const observe::Scope scope(world.log);
    directory::StoreDirectory directory(engine, world.shards, world.random, server::directory_settings(config));
    const auto mailboxes =
        mailbox::make_mailboxes(engine, world.shards, world.clock, world.random, scope, message::make_structure);
    const auto queue = queue::make_queue(engine, world.shards, world.clock, world.random, scope);
    Contents found;
    auto counted = count(directory, *mailboxes, *queue, found);
    if (!counted) out = failed(counted);
    if (counted && thorough) {
      auto verified = co_await engine.verify();
      if (verified) found.unreadable = verified->damaged;
      if (!verified) out = failed(verified);
    }
    for (const auto& record : engine.quarantined()) found.damaged.push_back(record.where + ": " + record.why);
    for (const auto& record : queue->quarantined()) {
      found.damaged.push_back("queue " + queue::to_string(record.id) + ": " + record.why);
    }
    if (out) out = std::move(found);
    co_await mailboxes->finished();
  }
  co_await engine.close();
}

}  // namespace

Result<Contents> contents_of(host::World& world, store::EmbeddedEngine& engine, const config::Config& config,
                             bool thorough) {
  Result<Contents> out;
  run_to_end(world, look(world, engine, config, thorough, out));
  return out;
}

Result<OpenedGeneration> OpenedGeneration::open(const backup::Repository& repository,
                                                const backup::Generation& generation, const std::string& scratch) {
  auto folder = ScratchFolder::make(scratch);
  if (!folder) return failed(folder);
  OpenedGeneration out(std::move(*folder));
  auto world = world_of(out.scratch_.path());
  if (!world) return failed(world);
  out.world_ = std::move(*world);
  out.disk_ = std::make_unique<backup::OpenedBackup>(repository, generation, *out.world_->disk);
  auto parameters = backup::reading({.disk = *out.disk_,
                                     .shards = out.world_->shards,
                                     .clock = out.world_->clock,
                                     .random = out.world_->random,
                                     .scope = observe::Scope(out.world_->log)});
  parameters.expected_instance = generation.manifest.instance;
  auto engine = store::open(std::move(parameters));
  if (!engine) return failed(engine);
  out.engine_ = std::move(*engine);
  return out;
}

Result<std::unique_ptr<host::World>> world_of(const std::string& folder) {
  host::WorldOptions options;
  options.root = folder;
  options.shards = 1;
  options.resolver.rest = host::ResolverOptions::Rest::refuse;
  options.log.least = observe::Level::error;
  return host::World::open(std::move(options));
}

std::string mebibytes(std::uint64_t octets) { return fmt::format("{:.1f}", static_cast<double>(octets) / 1048576); }

void complain_of(const Failure& failure) {
  complain(failure.cause.empty() ? failure.text : failure.text + " (" + failure.cause + ")");
}

}  // namespace facteur::cli
