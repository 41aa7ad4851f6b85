// `facteur verify`: is the backup whole, and does it give back what it should?
#include <boost/json.hpp>
#include <future>

#include "cli/backup.hpp"
#include "cli/backup_folder.hpp"
#include "observe/timestamp.hpp"

namespace facteur::cli {
namespace {

namespace json = boost::json;

Result<Contents> look_into(const backup::Repository& repository, const backup::Generation& generation,
                           const std::string& scratch) {
  auto opened = OpenedGeneration::open(repository, generation, scratch);
  if (!opened) return failed(opened);
  return contents_of(opened->world(), opened->engine(), configuration_in(repository, generation), true);
}

void tell(const Context& context, const backup::Repository& repository, const backup::Generation& generation,
          const std::vector<backup::Finding>& findings, const Contents& contents, const Progress& progress) {
  for (const auto& finding : findings) complain(context.say("verify.finding", {finding.file, finding.why}));
  for (const auto& record : contents.damaged) complain(context.say("verify.record", {record}));
  if (context.json) {
    json::array wrong;
    for (const auto& finding : findings) wrong.push_back(json::object{{"file", finding.file}, {"why", finding.why}});
    json::array damaged(contents.damaged.begin(), contents.damaged.end());
    print(json::serialize(json::object{{"generation", generation.name},
                                       {"generations", repository.generations().size()},
                                       {"bytes_read", progress.octets()},
                                       {"accounts", contents.accounts},
                                       {"messages", contents.messages},
                                       {"bytes", contents.bytes},
                                       {"queued", contents.queued},
                                       {"unreadable", contents.unreadable},
                                       {"findings", std::move(wrong)},
                                       {"damaged", std::move(damaged)},
                                       {"seconds", progress.seconds()}}) +
          "\n");
    return;
  }
  print(context.say("verify.read", {std::to_string(repository.generations().size()), mebibytes(progress.octets()),
                                    std::to_string(findings.size())}) +
        "\n");
  print(context.say("verify.holds",
                    {generation.name, std::to_string(contents.accounts), std::to_string(contents.messages),
                     mebibytes(contents.bytes), std::to_string(contents.queued), std::to_string(contents.unreadable)}) +
        "\n");
}

}  // namespace

int verify(const Context& context, const VerifyOptions& options) {
  const auto folder = open_backup(context, options.folder, false);
  if (folder.exit_code != ExitCode::done) return folder.exit_code;
  Progress progress(context, Progress::Of::octets);
  const backup::Pace pace = [&progress](std::uint64_t octets) -> Result<void> {
    progress.add(0, octets);
    return {};
  };
  // Two pieces of work that need nothing of each other: checksums of the files, and what the store makes of them.
  auto checking = std::async(std::launch::async, [&] { return backup::check(*folder.repository, pace); });
  const auto* generation = folder.generation(context, options.at);
  Result<Contents> contents;
  if (generation) contents = look_into(*folder.repository, *generation, options.scratch);
  const auto findings = checking.get();
  if (!findings) {
    complain_of(findings.error());
    return ExitCode::failed;
  }
  if (!generation || !contents) {
    for (const auto& finding : *findings) complain(context.say("verify.finding", {finding.file, finding.why}));
    if (generation) complain_of(contents.error());
    return ExitCode::failed;
  }
  tell(context, *folder.repository, *generation, *findings, *contents, progress);
  const bool good = findings->empty() && contents->unreadable == 0 && contents->damaged.empty();
  return good ? ExitCode::done : ExitCode::failed;
}

int list_backups(const Context& context, const std::string& path) {
  const auto folder = open_backup(context, path, false);
  if (folder.exit_code != ExitCode::done) return folder.exit_code;
  json::array list;
  std::string lines;
  for (const auto& one : folder.repository->generations()) {
    const std::string taken = observe::to_iso8601(one.manifest.taken);
    list.push_back(json::object{{"generation", one.name},
                                {"taken", taken},
                                {"instance", one.manifest.instance},
                                {"bytes", one.manifest.octets()},
                                {"damaged", one.manifest.damaged.size()}});
    lines += one.name + "  " + mebibytes(one.manifest.octets()) + " MiB\n";
  }
  print(context.json ? json::serialize(list) + "\n" : lines);
  for (const auto& damaged : folder.repository->unreadable()) complain(context.say("backup.unreadable", {damaged}));
  return folder.repository->unreadable().empty() ? ExitCode::done : ExitCode::failed;
}

}  // namespace facteur::cli
