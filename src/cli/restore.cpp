// `facteur restore --to`: a new data folder out of a backup.
#include <boost/json.hpp>
#include <filesystem>
#include <fstream>

#include "cli/backup.hpp"
#include "cli/backup_folder.hpp"

namespace facteur::cli {
namespace {

namespace json = boost::json;
namespace fs = std::filesystem;

// Configuration, certificates and keys go below the data folder: what stands at their old places now is not ours to
// replace.
Result<std::vector<std::string>> put_files(const backup::Repository& repository, const backup::Generation& generation,
                                           host::Disk& data, std::vector<backup::Finding>& findings) {
  std::vector<std::string> out;
  for (const auto& file : generation.manifest.files) {
    if (file.what == "data") continue;
    auto content = backup::read(repository, file);
    if (!content) {
      findings.push_back({file.path, content.error().cause});
      continue;
    }
    const std::string path = "restored" + file.path;
    for (std::size_t at = path.find('/'); at != path.npos; at = path.find('/', at + 1)) {
      if (auto made = data.create_directory(path.substr(0, at)); !made) return failed(made);
    }
    if (auto put = backup::write_whole(data, path, *content); !put) return failed(put);
    out.push_back(path);
  }
  return out;
}

struct Restored {
  std::vector<backup::Finding> findings;
  std::vector<std::string> files;
  Contents contents;
};

Result<Restored> restore_all(const BackupFolder& folder, const backup::Generation& generation, host::World& world,
                             const backup::Pace& pace) {
  Restored out;
  auto findings = backup::restore(*folder.repository, generation, *world.disk, pace);
  if (!findings) return failed(findings);
  out.findings = std::move(*findings);
  auto files = put_files(*folder.repository, generation, *world.disk, out.findings);
  if (!files) return failed(files);
  out.files = std::move(*files);
  // Opened once: the index is made, and what is there can be said.
  store::EngineParameters parameters{.disk = *world.disk,
                                     .shards = world.shards,
                                     .clock = world.clock,
                                     .random = world.random,
                                     .scope = observe::Scope(world.log)};
  auto engine = store::open(std::move(parameters));
  if (!engine) return failed(engine);
  auto contents = contents_of(world, **engine, configuration_in(*folder.repository, generation), false);
  if (!contents) return failed(contents);
  out.contents = std::move(*contents);
  return out;
}

void tell(const Context& context, const std::string& to, const backup::Generation& generation, const Restored& restored,
          const Progress& progress) {
  for (const auto& finding : restored.findings) complain(context.say("verify.finding", {finding.file, finding.why}));
  for (const auto& record : restored.contents.damaged) complain(context.say("verify.record", {record}));
  if (context.json) {
    json::array files(restored.files.begin(), restored.files.end());
    json::array wrong;
    for (const auto& one : restored.findings) wrong.push_back(json::object{{"file", one.file}, {"why", one.why}});
    json::array damaged(restored.contents.damaged.begin(), restored.contents.damaged.end());
    print(json::serialize(json::object{{"generation", generation.name},
                                       {"data", to},
                                       {"bytes", progress.octets()},
                                       {"accounts", restored.contents.accounts},
                                       {"messages", restored.contents.messages},
                                       {"queued", restored.contents.queued},
                                       {"files", std::move(files)},
                                       {"findings", std::move(wrong)},
                                       {"damaged", std::move(damaged)},
                                       {"seconds", progress.seconds()}}) +
          "\n");
    return;
  }
  print(context.say("restore.done",
                    {generation.name, to, mebibytes(progress.octets()), std::to_string(restored.contents.accounts),
                     std::to_string(restored.contents.messages), std::to_string(restored.contents.queued)}) +
        "\n");
  for (const auto& path : restored.files) print("  " + to + "/" + path + "\n");
}

}  // namespace

int restore(const Context& context, const RestoreOptions& options) {
  const auto folder = open_backup(context, options.folder, false);
  if (folder.exit_code != ExitCode::done) return folder.exit_code;
  const auto* generation = folder.generation(context, options.at);
  if (!generation) return ExitCode::failed;
  auto world = world_of(options.to);
  if (!world) {
    complain_of(world.error());
    return ExitCode::failed;
  }
  auto locked = (*world)->disk->lock();
  if (!locked || !*locked) {
    complain(context.say("error.busy", {options.to}));
    return ExitCode::busy;
  }
  const auto fits = backup::restorable_to(*(*world)->disk);
  if (!fits || !*fits) {
    complain(context.say("restore.not_empty", {options.to}));
    return ExitCode::failed;
  }
  Progress progress(context, Progress::Of::octets);
  const backup::Pace pace = [&progress](std::uint64_t octets) -> Result<void> {
    progress.add(0, octets);
    return {};
  };
  const auto restored = restore_all(folder, *generation, **world, pace);
  if (!restored) {
    complain_of(restored.error());
    return ExitCode::failed;
  }
  tell(context, options.to, *generation, *restored, progress);
  return restored->findings.empty() && restored->contents.damaged.empty() ? ExitCode::done : ExitCode::failed;
}

}  // namespace facteur::cli
