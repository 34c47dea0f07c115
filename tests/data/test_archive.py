import gzip
import os
import re

import pytest

from linstudy.data.archive import read_published
from linstudy.data.errors import DataError


@pytest.mark.parametrize("below", [".", "mnist"])
def test_files_are_found_in_the_data_folder_or_below_it(tmp_path, mnist, publish, write, below):
    files, _ = mnist
    publish("mnist", files)
    write(tmp_path / "data" / below, files)
    contents = read_published("mnist", tmp_path / "data")
    assert contents == {name: gzip.decompress(content) for name, content in files.items()}


def test_unpacked_and_repacked_files_are_accepted(tmp_path, mnist, publish, write):
    files, _ = mnist
    publish("mnist", files)
    contents = {name: gzip.decompress(content) for name, content in files.items()}
    first, *others = contents
    copies = {first.removesuffix(".gz"): contents[first]}
    copies |= {name: gzip.compress(contents[name], 1, mtime=1) for name in others}
    assert read_published("mnist", write(tmp_path / "data", copies)) == contents


def test_files_are_found_in_the_cache_when_no_folder_is_named(cache, mnist, publish, write):
    files, _ = mnist
    publish("mnist", files)
    write(cache / "data" / "mnist", files)
    assert len(read_published("mnist", None)) == 4


def test_missing_files_are_downloaded_into_the_data_folder(tmp_path, cache, mnist, publish, write, serve, capsys):
    files, _ = mnist
    publish("mnist", files, [serve(files)])
    present = [name for name in files if name.startswith("t10k")]
    folder = write(tmp_path / "data", {name: files[name] for name in present})
    read_published("mnist", folder)
    assert sorted(path.name for path in (folder / "mnist").iterdir()) == sorted(set(files) - set(present))
    assert not (cache / "data").exists()
    assert capsys.readouterr() == ("", "")


def test_downloads_go_to_the_cache_when_the_data_folder_is_read_only(tmp_path, cache, mnist, publish, serve):
    files, _ = mnist
    publish("mnist", files, [serve(files)])
    folder = tmp_path / "data"
    folder.mkdir(mode=0o555)
    read_published("mnist", folder)
    assert list(folder.iterdir()) == []
    assert len(os.listdir(cache / "data" / "mnist")) == 4


def test_a_second_address_is_tried(mnist, publish, serve):
    files, _ = mnist
    publish("mnist", files, [serve({}), serve(files)])
    assert len(read_published("mnist", None)) == 4


def test_a_download_with_a_wrong_hash_is_refused_and_not_kept(cache, mnist, publish, serve):
    files, _ = mnist
    publish("mnist", files, [serve({name: content + b"x" for name, content in files.items()})])
    with pytest.raises(DataError, match="could not be downloaded(.|\n)*does not match the known hash"):
        read_published("mnist", None)
    assert not (cache / "data" / "mnist").exists()


def test_without_a_network_the_message_names_files_folder_hashes_and_addresses(tmp_path, mnist, publish, write):
    files, _ = mnist
    publish("mnist", files)
    folder = write(tmp_path / "data", {name: files[name] for name in files if name.startswith("t10k")})
    with pytest.raises(DataError) as error:
        read_published("mnist", folder)
    *lines, cause = str(error.value).splitlines()
    hashes = {name: published_md5(name) for name in files}
    assert lines == [
        "mnist: 2 of its 4 files are missing and could not be downloaded",
        f'found "{folder / "t10k-images-idx3-ubyte.gz"}"',
        f'found "{folder / "t10k-labels-idx1-ubyte.gz"}"',
        f'missing in "{folder / "mnist"}":',
        *(
            f"  {name}  MD5 {hashes[name]}  http://127.0.0.1:9/{name}"
            for name in ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz")
        ),
        "Put them there, or name the folder that holds them with --data or LINSTUDY_DATA; "
        "with a network, the same command downloads them.",
    ]
    assert cause.startswith("The download ended with ConnectionError: ")
    assert sorted(path.name for path in folder.iterdir()) == sorted(n for n in files if n.startswith("t10k"))


def test_a_damaged_file_is_refused_with_both_hashes(tmp_path, mnist, publish, write):
    files, _ = mnist
    publish("mnist", files)
    name = "train-labels-idx1-ubyte.gz"
    expected = published_md5(name, content=True)
    folder = write(tmp_path / "data", files | {name: gzip.compress(b"something else")})
    with pytest.raises(DataError, match=f"{name}.*has the MD5 [0-9a-f]{{32}}, but .* has {expected}; delete"):
        read_published("mnist", folder)


def test_a_truncated_file_is_refused(tmp_path, mnist, publish, write):
    files, _ = mnist
    publish("mnist", files)
    name = "t10k-images-idx3-ubyte.gz"
    with pytest.raises(DataError, match=re.escape(name) + '" is damaged .*delete it'):
        read_published("mnist", write(tmp_path / "data", files | {name: files[name][:-100]}))


def test_files_of_another_set_under_the_same_names_are_recognized(tmp_path, mnist, publish, write):
    files, _ = mnist
    publish("mnist", files)
    folder = write(tmp_path / "data", files)
    with pytest.raises(DataError, match="is not from fashion_mnist but from mnist .* put each set into a folder of"):
        read_published("fashion_mnist", folder)


def test_a_data_folder_that_does_not_exist_is_an_error(tmp_path):
    with pytest.raises(DataError, match='the data folder ".*nowhere" does not exist; create it'):
        read_published("cifar10", tmp_path / "nowhere")


def published_md5(name, *, content=False):
    from linstudy.data.published import PUBLISHED

    (file,) = (file for file in PUBLISHED["mnist"].files if file.name == name)
    return file.content_md5 if content else file.md5
