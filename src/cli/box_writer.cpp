#include "cli/box_writer.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <unordered_map>

#include "base/ascii.hpp"
#include "cli/box_names.hpp"
#include "message/maildir.hpp"

namespace facteur::cli {
namespace {

namespace fs = std::filesystem;

std::unexpected<Failure> not_written(const fs::path& path) {
  return failure(Failure::Kind::permanent, "F-6241", path.string() + " cannot be written");
}

bool write_file(const fs::path& path, Bytes octets) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(octets.data(), static_cast<std::streamsize>(octets.size()));
  return static_cast<bool>(out.flush());
}

// The time of arrival stays with the file.
void set_time(const fs::path& path, UtcTime time) {
  const auto nanoseconds = (time.milliseconds - time.seconds() * 1000) * 1'000'000;
  const timespec stamp{.tv_sec = time.seconds(), .tv_nsec = nanoseconds};
  const timespec both[2] = {stamp, stamp};
  static_cast<void>(::utimensat(AT_FDCWD, path.c_str(), both, 0));
}

class MboxWriter : public BoxWriter {
 public:
  MboxWriter(fs::path path, message::MboxDialect dialect)
      : path_(std::move(path)),
        part_(path_.string() + ".part"),
        dialect_(dialect),
        out_(part_, std::ios::binary | std::ios::trunc) {}

  bool has(const LetterKept&) override { return false; }
  Result<void> write(const LetterKept& letter, const std::string& octets) override {
    message::append_mbox(buffer_, octets, {}, letter.received, letter.state, dialect_);
    return buffer_.size() < 1024 * 1024 ? Result<void>{} : flush();
  }
  Result<void> finish() override {
    auto done = flush();
    out_.close();
    std::error_code wrong;
    if (done) fs::rename(part_, path_, wrong);
    return !done || wrong ? not_written(path_) : Result<void>{};
  }

 private:
  Result<void> flush() {
    out_.write(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
    buffer_.clear();
    return out_.flush() ? Result<void>{} : not_written(part_);
  }

  fs::path path_;
  fs::path part_;
  message::MboxDialect dialect_;
  std::ofstream out_;
  std::string buffer_;
};

// Names are "seconds.M<id>.facteur,S=..,W=..:2,flags": what is there under the base of a name is not written again.
class MaildirWriter : public BoxWriter {
 public:
  explicit MaildirWriter(fs::path folder) : folder_(std::move(folder)) {
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(folder_ / "cur", none)) {
      const std::string name = entry.path().filename().string();
      there_.emplace(message::parse_maildir_name(name).base, name);
    }
    std::ifstream in(folder_ / "dovecot-keywords", std::ios::binary);
    keywords_ = message::MaildirKeywords::parse(std::string(std::istreambuf_iterator<char>(in), {}));
  }

  bool has(const LetterKept& letter) override {
    const auto found = there_.find(base_of(letter));
    if (found == there_.end()) return false;
    auto name = message::parse_maildir_name(found->second);
    set_flags(name, letter.state);
    const std::string wanted = message::write_maildir_name(name);
    std::error_code wrong;
    if (wanted != found->second) fs::rename(folder_ / "cur" / found->second, folder_ / "cur" / wanted, wrong);
    if (!wrong) found->second = wanted;
    return !wrong;
  }

  Result<void> write(const LetterKept& letter, const std::string& octets) override {
    const bool plain = message::has_only_crlf(octets);
    const std::string text = plain ? message::lf_lines(octets) : octets;
    message::MaildirName name;
    name.base = base_of(letter);
    name.size = text.size();
    name.vsize = octets.size();
    set_flags(name, letter.state);
    const fs::path made = folder_ / "tmp" / name.base;
    if (!write_file(made, text)) return not_written(made);
    set_time(made, letter.received);
    const std::string wanted = message::write_maildir_name(name);
    std::error_code wrong;
    fs::rename(made, folder_ / "cur" / wanted, wrong);
    if (wrong) return not_written(folder_ / "cur");
    there_.emplace(name.base, wanted);
    return {};
  }

  Result<void> finish() override {
    const std::string text = keywords_.write();
    if (text.empty() || write_file(folder_ / "dovecot-keywords", text)) return {};
    return not_written(folder_ / "dovecot-keywords");
  }

 private:
  static std::string base_of(const LetterKept& letter) {
    return std::to_string(letter.received.seconds()) + ".M" + std::to_string(letter.id) + ".facteur";
  }
  void set_flags(message::MaildirName& name, const message::MailState& state) {
    name.state = state;
    name.letters.clear();
    for (const auto& keyword : state.keywords) {
      if (ascii::equal_ignoring_case(keyword, "$Forwarded")) continue;
      if (const auto letter = keywords_.letter(keyword)) name.letters += *letter;
    }
  }

  fs::path folder_;
  std::unordered_map<std::string, std::string> there_;  // By base.
  message::MaildirKeywords keywords_;
};

class EmlWriter : public BoxWriter {
 public:
  explicit EmlWriter(fs::path folder) : folder_(std::move(folder)) {}
  bool has(const LetterKept& letter) override { return fs::exists(path_of(letter)); }
  Result<void> write(const LetterKept& letter, const std::string& octets) override {
    const fs::path part = folder_ / ".part";
    if (!write_file(part, octets)) return not_written(part);
    set_time(part, letter.received);
    std::error_code wrong;
    fs::rename(part, path_of(letter), wrong);
    return wrong ? not_written(path_of(letter)) : Result<void>{};
  }
  Result<void> finish() override { return {}; }

 private:
  fs::path path_of(const LetterKept& letter) const { return folder_ / eml_name(letter.uid, letter.state); }
  fs::path folder_;
};

// "Lists/dev" as folders and, at the end, a name.
fs::path path_below(const fs::path& folder, std::string_view mailbox) {
  fs::path out = folder;
  while (true) {
    const std::size_t end = std::min(mailbox.find('/'), mailbox.size());
    out /= file_name_of_level(mailbox.substr(0, end));
    if (end == mailbox.size()) return out;
    mailbox.remove_prefix(end + 1);
  }
}

bool may_replace(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return true;
  std::string start(2048, '\0');
  in.read(start.data(), static_cast<std::streamsize>(start.size()));
  start.resize(static_cast<std::size_t>(in.gcount()));
  return message::is_our_mbox(start);
}

}  // namespace

Result<std::unique_ptr<BoxWriter>> open_box(const std::string& folder, const std::string& mailbox, BoxFormat format,
                                            message::MboxDialect dialect) {
  std::error_code wrong;
  if (format == BoxFormat::mbox) {
    const fs::path path = path_below(folder, mailbox).string() + ".mbox";
    fs::create_directories(path.parent_path(), wrong);
    if (wrong) return not_written(path);
    if (!may_replace(path)) {
      return failure(Failure::Kind::refused, "F-6242", path.string() + " is there, and not of this program's making");
    }
    return std::make_unique<MboxWriter>(path, dialect);
  }
  if (format == BoxFormat::eml) {
    const fs::path path = path_below(folder, mailbox);
    fs::create_directories(path, wrong);
    if (wrong) return not_written(path);
    return std::make_unique<EmlWriter>(path);
  }
  const fs::path path = mailbox == "INBOX" ? fs::path(folder) : fs::path(folder) / maildir_folder_of(mailbox);
  for (const auto* sub : {"tmp", "new", "cur"}) fs::create_directories(path / sub, wrong);
  if (wrong) return not_written(path);
  if (mailbox != "INBOX") static_cast<void>(write_file(path / "maildirfolder", {}));
  return std::make_unique<MaildirWriter>(path);
}

}  // namespace facteur::cli
