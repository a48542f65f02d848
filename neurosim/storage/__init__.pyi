"""Storage: the door to disk; everything is written whole or not at all, and what is read is found harmless before."""

# What is said when it fails
from .failures import StorageError as StorageError  # a file that is missing, damaged or hostile
from .failures import readable as readable  # whatever a reader of a format raises becomes one line

# Labelled arrays
from .labelled_arrays import growing_array as growing_array  # write an array larger than memory, rows by rows
from .labelled_arrays import open_dataset as open_dataset  # netCDF-4 or Zarr, values read when they are used
from .labelled_arrays import read_array as read_array  # one variable of a netCDF-4 file
from .labelled_arrays import read_dataset as read_dataset  # all of a netCDF-4 file
from .labelled_arrays import write_dataset as write_dataset  # netCDF-4 with checksums, the same bytes each time

# Arrays by name
from .named_arrays import names_inside as names_inside  # what a folder or an archive of arrays holds
from .named_arrays import open_npy as open_npy  # one plain array, values read when they are used
from .named_arrays import read_mat as read_mat  # MATLAB, version 5 to 7.3
from .named_arrays import read_npy as read_npy  # one plain array
from .named_arrays import read_npz as read_npz  # plain arrays by name
from .named_arrays import read_weights as read_weights  # safetensors
from .named_arrays import write_weights as write_weights  # safetensors

# Tables, text, pictures
from .image_files import files_of as files_of  # of some endings in a folder, by name
from .image_files import pictures_in as pictures_in  # of a folder, by name
from .image_files import read_picture as read_picture  # a picture for transforms that take a PIL image
from .image_files import read_image as read_image  # a picture as (y, x, 3), upright
from .image_files import read_picture_archive as read_picture_archive  # the pictures of a zip, by name
from .tables import read_table as read_table  # CSV, TSV or Parquet
from .tables import write_table as write_table  # labelled arrays as CSV
from .texts import read_json as read_json  # JSON within bounds
from .texts import read_json_object as read_json_object  # JSON that is one object, with the keys that it needs
from .texts import read_text as read_text  # UTF-8, or another encoding
from .texts import read_toml as read_toml  # TOML within bounds
from .texts import write_json as write_json  # JSON without NaN
from .atomic import write_bytes as write_bytes  # bytes as they are
from .atomic import write_text as write_text  # UTF-8

# Many files as one
from .archives import write_zip as write_zip  # a zip, the same bytes each time

# Whole or not at all
from .atomic import atomic_file as atomic_file  # a file that appears when it is finished
from .atomic import atomic_folder as atomic_folder  # a folder that appears when it is finished, in place of an old one
from .atomic import check_writable as check_writable  # refuse a folder now rather than after hours of work
from .atomic import remove_leftovers as remove_leftovers  # of runs that were killed

# Whether files are those that they were
from .checksums import check_sha256 as check_sha256  # refuse a file of another checksum
from .checksums import damaged_files as damaged_files  # what a manifest lists and is missing or changed
from .checksums import read_manifest as read_manifest  # checksums by name
from .checksums import sha256 as sha256  # of a file
from .checksums import write_manifest as write_manifest  # of a folder, as sha256sum -c reads it

# Which file is meant, and whether it is harmless
from .bounds import check_claim as check_claim  # of bytes, before they are read
from .bounds import check_inflation as check_inflation  # of MATLAB files
from .bounds import pieces as pieces  # the content of a file piece by piece, unpacked
from .hdf5 import check_hdf5 as check_hdf5  # links and sizes of an HDF5 file
from .paths import as_path as as_path  # text or a path object
from .paths import check_links as check_links  # of a folder
from .paths import existing as existing  # a file that is there, of bearable size
from .paths import inside as inside  # a path that must not lead out of its folder
from .paths import read_start as read_start  # the first bytes of a file
from .paths import is_folder as is_folder  # whether it can be reached, too

# Where real data are
from .data_files import DATA_FOLDER_VARIABLE as DATA_FOLDER_VARIABLE  # the variable that names the data folder
from .data_files import data_file as data_file  # a file of the data folder
from .data_files import data_folder as data_folder  # where real data are
from .data_files import fetch as fetch  # a public file, once
from .data_files import read_tar_member as read_tar_member  # one file of an archive
from .data_files import use_data_folder as use_data_folder  # say where real data are

# Compiled code
from .builds import cache_folder as cache_folder  # where it is kept between processes
from .builds import checked_modules as checked_modules  # a folder of compiled modules, without damaged ones
from .builds import compiled_library as compiled_library  # of a C++ file of this package
from .builds import is_whole_build as is_whole_build  # whether what was compiled is what was built
from .builds import kept_builds as kept_builds  # everything compiled that is kept
from .builds import processor_has as processor_has  # such as AVX2, for which code is compiled
from .builds import remove_build as remove_build  # remove one of them
